"""Decoder families, model files, and which model a session used."""
