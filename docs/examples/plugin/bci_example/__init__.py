"""A source, a decoder, its kernel, an actuator, a window and a preset for bci, each as small as it can be."""
