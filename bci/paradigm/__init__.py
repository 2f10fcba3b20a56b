"""What a person is asked to do, and how markers become cues."""
