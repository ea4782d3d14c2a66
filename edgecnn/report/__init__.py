"""What a run or a bundle proves, for people and for machines: one HTML page, Markdown and JSON."""
