"""Pruning criteria, one a file: what each channel of each group is worth.

A criterion is called as `criterion(module, groups, example, batches)` and returns, by group name, a float32 tensor
[channels] of numbers that are not negative. `batches` yields functions that give a batch's scalar loss of a module; it
is None where there is no data, and a criterion that needs some says so.
"""
