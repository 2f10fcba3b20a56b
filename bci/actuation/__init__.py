"""The guarded host of one actuator."""
