"""Quantization schemes, one a target."""
