"""The engine: samples and inputs in, outcomes out; numpy and scipy only, without a clock, a file or a thread."""
