"""The words every folder speaks. Imports neither torch nor onnx nor an engine."""
