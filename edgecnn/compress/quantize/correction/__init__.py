"""Corrections of the error that INT8 makes: equalized channels, shifted biases, learned rounding."""
