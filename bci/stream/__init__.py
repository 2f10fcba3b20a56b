"""Streams and files: LSL, XDF, files of other programs, clocks, markers and signed messages."""
