"""Transfer from other people's calibrations: a library, recentring, and a prior that a person's own trials correct."""
