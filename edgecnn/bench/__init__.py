"""Latency, measured. The benchmark knows neither model nor data; a null engine measures the harness itself."""
