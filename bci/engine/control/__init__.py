"""Continuous control: each window moves a state, while a class decision has none."""
