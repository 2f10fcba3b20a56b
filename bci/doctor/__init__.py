"""Checks of this computer's set-up: pure functions of facts, which ``observe`` gathers."""
