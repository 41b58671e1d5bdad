"""The paper's best distilled net, by several ways of finding its output weights."""

import pytest

from minilotto.analysis.tickets.distilling import equation_11

RECORD = 1.6e-19  # the paper's


def test_equation_11_by_several_arithmetics():
    found = equation_11()
    assert found["in 80 digits"] == pytest.approx(1.42222747587914e-19, rel=1e-13)  # by mpmath
    assert RECORD / 2 < found["centred and scaled"] < RECORD * 2
    assert RECORD / 2 < found["scaled"] < 1e-17  # which is less than the other by some LAPACKs
    assert 1e-13 < found["plain"] < 1e-9
    assert found["plain, float32"] > 1e-7
    assert found["v and c as printed"] > 1e4
