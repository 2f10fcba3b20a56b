"""Processes of the end-to-end latency benchmark: one sender, one receiver, one file per contestant."""
