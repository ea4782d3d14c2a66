"""How each ONNX operator is said in ncnn's layers, one family a file."""
