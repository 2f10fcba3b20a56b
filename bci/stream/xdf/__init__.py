"""XDF files: written, read, summed up, rescued."""
