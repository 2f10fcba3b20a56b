"""The live session: its loop, its streams, its processes."""
