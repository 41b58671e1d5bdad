"""What a power law in the width says about the number of parameters; how little about LLMs."""

from dataclasses import dataclass

from minilotto.errors import DataError
from minilotto.settings.display import Shown

MEASURED = 0.34  # Hoffmann et al. 2022, the fit that the paper quotes in equation 10
# Besiroglu et al. 2024, from the same data: 0.35 with two standard errors of 0.02 on either side.
REFIT = (0.31, 0.39)


@dataclass(frozen=True)
class ParameterExponent(Shown):
    """loss ~ parameters^-exponent if parameters ~ width^power.

    Parameters
    ----------
    shape : str
        How parameters grow with width.
    power : int
    exponent : float
    """

    shape: str
    power: int
    exponent: float

    @property
    def excluded(self) -> bool:
        """Whether the exponent lies outside REFIT."""
        return not REFIT[0] <= self.exponent <= REFIT[1]


def parameter_exponents(width_exponent: float = 1.0) -> tuple[ParameterExponent, ...]:
    """loss ~ width^-a as loss ~ parameters^-(a / power), for three ways in which parameters grow.

    A transformer has some width^2 depth parameters. With depth ~ width that is width^3, and a = 1
    gives 1/3, near Chinchilla's 0.34. This is no test. (1) The power is an assumption: 2 at fixed
    depth, 1 for the nets that were measured here, and with these a = 1 gives 1/2 and 1. (2) One
    number, chosen after it was known, cannot disagree: a = 1.02 would "predict" it exactly, and a
    from 0.93 to 1.17 lies within REFIT. (3) It is not the same number elsewhere: Kaplan et al. 2020
    found 0.076 for the same kind of model. (4) It says nothing about mechanism: any law of 1/3 fits
    as well. A test would vary width at fixed depth and data, and look at the errors of the parts of
    a model.

    Parameters
    ----------
    width_exponent : float
        a, above 0.

    Returns
    -------
    tuple of ParameterExponent

    Raises
    ------
    DataError
        For an exponent that is not above 0.

    References
    ----------
    Paper: equation 10.

    Examples
    --------
    >>> [(row.shape, round(row.exponent, 3)) for row in parameter_exponents()]
    [('depth grows with width', 0.333), ('depth is fixed', 0.5), ('one hidden layer', 1.0)]
    """
    if not width_exponent > 0:
        raise DataError(
            f"width_exponent={width_exponent!r} is out of range; a loss that falls with width has "
            "one above 0"
        )
    shapes = (("depth grows with width", 3), ("depth is fixed", 2), ("one hidden layer", 1))
    return tuple(ParameterExponent(shape, power, width_exponent / power) for shape, power in shapes)
