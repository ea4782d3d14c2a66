"""Structured pruning: which channels go together, which of them matter, and a network without the others."""
