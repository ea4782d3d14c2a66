"""Quantization-aware training: the placed Q/DQ graph itself, trained in torch and written back."""
