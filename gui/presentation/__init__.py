"""What a participant sees, scene by scene, and what decides which scene it is."""
