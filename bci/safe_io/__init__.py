"""Files and texts of other programs, read with limits; our own files, written so that only their owner can read them."""
