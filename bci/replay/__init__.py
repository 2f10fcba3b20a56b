"""Run a recorded session again, compare, score."""
