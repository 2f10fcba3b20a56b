"""Head start from other people's calibrations: a library, recentring, and a prior that own trials correct."""
