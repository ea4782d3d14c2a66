"""What ONNX's operators mean in torch, one kind a file; onnx itself is not needed to run them."""
