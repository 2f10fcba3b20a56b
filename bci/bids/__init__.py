"""BIDS folders and the files in them, written."""
