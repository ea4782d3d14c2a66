"""Codecs, one task a file: encode for training and decode for the device side by side."""
