"""How fast the course's package is, beside a textbook version and PyTorch: `make bench`."""
