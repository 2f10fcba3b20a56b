"""One file per format: each reads its files into the shape of :mod:`bci.stream.recording`."""
