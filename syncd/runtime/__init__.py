"""What every long-lived part stands on: the clock, randomness, the start/stop contract, logs."""
