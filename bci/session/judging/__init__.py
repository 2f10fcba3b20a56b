"""What trials are worth: candidates compared inside cross-validation, chance, forecast, verdict and null tests."""
