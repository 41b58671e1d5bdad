"""The same formulas on an NVIDIA GPU."""
