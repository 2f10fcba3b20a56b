"""What following a drift is worth, and what it costs where there is none."""
