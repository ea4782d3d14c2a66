"""From an ONNX graph to ncnn's network: its layers and weights, the same for the same graph."""
