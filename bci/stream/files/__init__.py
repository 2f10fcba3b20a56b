"""One module for each file format: each reads its files into :mod:`bci.stream.recording`."""
