"""One data set format a file: each reads and writes `Sample`s."""
