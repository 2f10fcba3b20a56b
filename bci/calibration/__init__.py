"""Calibrating a new subject: the protocol, who presents it, and how a calibration runs, stops and resumes."""
