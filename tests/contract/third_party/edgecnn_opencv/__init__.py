"""OpenCV's DNN module as an engine of edgecnn: `compile` makes its files of ONNX, `engine` runs them on the device."""
