"""What ``import bci`` offers: one file for each subject, each a thin layer over the functions that the command line calls."""
