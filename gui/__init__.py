"""The windows, made with Qt."""
