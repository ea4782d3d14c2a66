"""Samples with labels: data set formats, procedural scenes and frames."""
