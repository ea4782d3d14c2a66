"""From ONNX operators to LiteRT's, channels last: one family of operators a file, around one `Lowering`."""
