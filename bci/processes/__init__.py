"""Processes: started, watched, ended; the terminal and the displays that they have."""
