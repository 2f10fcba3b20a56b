"""Decoder families and presets: what is trained."""
