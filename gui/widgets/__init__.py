"""The panels and other parts of the windows, one in each file."""
