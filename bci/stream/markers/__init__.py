"""What markers mean, whatever shape they have."""
