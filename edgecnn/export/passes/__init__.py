"""ONNX passes, one a file, on onnx_ir. Each states what it needs and what it leaves; `base.run` checks the claim."""
