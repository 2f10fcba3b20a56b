"""What in the signal tells the classes apart: spectra, r² maps, ERD/ERS, maps and connectivity."""
