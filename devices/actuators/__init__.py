"""Actuators: what carries out decisions."""
