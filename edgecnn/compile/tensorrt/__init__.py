"""TensorRT: ONNX made ready for each version of it, and the builders that make an engine of that on the device."""
