"""Clocks of senders, and the offsets that are added to their stamps."""
