"""From ONNX's operators to those of Core ML's model intermediate language (MIL), a family a file."""
