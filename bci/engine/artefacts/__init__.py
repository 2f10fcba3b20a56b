"""What is done about artefacts before a decoder sees a window: causal, without delay, and the same bits however chunks come."""
