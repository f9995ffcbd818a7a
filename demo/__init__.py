"""One store, one visit, on one machine: the real programs, and phones made of their bytes on the air."""
