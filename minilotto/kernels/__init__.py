"""Compiled loops and formulas: arrays in, arrays out."""

import minilotto.hardware.compiler  # noqa: F401  before any module here imports Numba
