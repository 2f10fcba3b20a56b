"""How fast and how steady the whole chain is on this computer, measured and judged."""
