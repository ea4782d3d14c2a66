"""Results drawn onto frames, one task a file: `draw(frame, result, *, label="", truth=None)` returns a copy."""
