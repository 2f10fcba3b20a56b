"""Sources of samples: amplifiers, a keyboard, programs of other manufacturers, and a simulated person."""
