"""Smaller and faster: quantization here, pruning later."""
