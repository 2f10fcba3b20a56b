"""What artefact steps do to accuracy, on simulated people who blink and clench."""
