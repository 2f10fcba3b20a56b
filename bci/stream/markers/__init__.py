"""The meaning of markers of any shape."""
