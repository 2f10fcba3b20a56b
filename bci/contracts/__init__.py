"""Contract suites: what every source, decoder, kernel and actuator must do, as functions that return one line for each breach."""
