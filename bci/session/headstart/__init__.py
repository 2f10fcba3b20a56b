"""What other people's calibrations give a new one: a library, alignment, and priors that step aside."""
