"""edgecnn: from a CNN to a small, fast, proven perception bundle on an edge device."""

__version__ = "0.1.0"
