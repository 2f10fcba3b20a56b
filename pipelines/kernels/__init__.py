"""Kernels: what of a decoder runs live, with numpy and scipy only."""
