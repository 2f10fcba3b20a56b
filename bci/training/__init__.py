"""From recordings to epochs to a model."""
