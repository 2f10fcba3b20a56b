"""Continuous control: a state that each window moves, where a class decision has none."""
