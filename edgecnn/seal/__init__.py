"""Sealing: the draft bundle and the evidence about it become the bundle that is handed out."""
