"""From a finished ONNX file to a proven bundle in INT8: what `edgecnn quantize MODEL.onnx` does, in its order."""
