"""Losses, one a file: `loss(outputs, targets) -> dict of named terms`, whose sum is minimised."""
