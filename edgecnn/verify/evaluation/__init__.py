"""Evaluation: a bundle or anybody's predictions against labels, by every metric that fits them."""
