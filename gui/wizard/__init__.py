"""The wizard: from a person and an amplifier to a live session, one page after another."""
