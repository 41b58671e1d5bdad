"""Compiled loops and formulas: arrays in, arrays out."""
