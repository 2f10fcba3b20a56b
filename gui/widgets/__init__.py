"""The parts that windows are made of, one a file."""
