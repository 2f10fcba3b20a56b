"""Sources of samples: amplifiers, keyboards, programs of other makers, and a simulated subject."""
