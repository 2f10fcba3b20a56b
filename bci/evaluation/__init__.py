"""Decoders over many recordings: within and across sessions and people, few trials, pseudo-online; tables and export."""
