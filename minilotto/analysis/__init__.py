"""Pure functions: arrays in, small frozen results out. No files, no plots, no training."""
