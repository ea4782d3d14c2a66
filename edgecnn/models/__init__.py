"""Network architectures in torch, one a file."""
