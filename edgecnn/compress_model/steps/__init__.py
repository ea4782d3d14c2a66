"""What each step of compression does, one a file."""
