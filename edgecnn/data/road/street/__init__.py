"""Streets and squares: what stands along them, who is on them, and who of them is seen."""
