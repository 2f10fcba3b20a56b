"""A source, a decoder, its kernel and an actuator for bci, each as small as it can be."""
