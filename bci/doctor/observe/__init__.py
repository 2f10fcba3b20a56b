"""The facts that the checks judge, read from this computer and from the streams in its reach."""
