"""From a torch module to ONNX: one input of uint8 frames, fixed shapes, named outputs, and golden vectors."""
