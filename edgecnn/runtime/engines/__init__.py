"""Inference engines, one a file, each behind the face of `edgecnn.runtime.engine`."""
