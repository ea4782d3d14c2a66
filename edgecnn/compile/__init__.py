"""From ONNX to what an engine loads, one target a file, and the draft bundle that carries all of it."""
