"""The process that records."""
