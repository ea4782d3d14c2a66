"""Verification: parity with golden outputs, accuracy with intervals, gates."""
