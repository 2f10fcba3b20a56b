"""The feature explorer: what tells the classes apart, and what a decoder that sees only that is worth."""
