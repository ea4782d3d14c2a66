"""Metrics, one a file, in NumPy."""
