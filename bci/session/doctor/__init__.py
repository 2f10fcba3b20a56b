"""What may be wrong with this computer's set-up: pure checks over facts; ``observe`` gathers the facts."""
