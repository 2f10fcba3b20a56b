"""Removing artefacts before a decoder gets a window: causal, without delay, and independent of chunks."""
