"""Whole sessions on a virtual clock."""
