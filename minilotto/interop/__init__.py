"""Nets for other programs: SciPy, C, torch, ONNX, pandas."""
