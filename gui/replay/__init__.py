"""The replay window: a recording again, and what a model decides in it, beside what was decided then."""
