"""Every decoder on the real recordings, networks beside the simple ones."""
