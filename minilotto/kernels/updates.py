"""Formulas of the optimisers' updates, once for all engines.

Like those of formulas.py they are plain functions of numbers of one type, Lanes or floats. An
update maps (parameter, m, s, gradient) to the next (parameter, m, s), where m and s start at zero.
All are in torch's order of operations; settings/optimizers.py states the equations.
"""

from typing import NamedTuple

from numba.extending import overload, register_jitable

from minilotto.kernels.formulas import quotient, root
from minilotto.kernels.simd import fma, like


class Coefficients(NamedTuple):
    """What the updates of one step take beside the gradient.

    lr is the rate of the step, adam_rate is lr / (1 - beta1^t) and correction is
    1 / sqrt(1 - beta2^t), with t from 1; the others are fields of Config.
    """

    lr: float
    adam_rate: float
    correction: float
    beta1: float
    beta2: float
    epsilon: float
    momentum: float
    weight_decay: float


@register_jitable
def adam(parameter, m, s, gradient, k):
    m = fma(like(gradient, 1.0 - k.beta1), gradient, like(gradient, k.beta1) * m)
    s = fma(like(gradient, 1.0 - k.beta2) * gradient, gradient, like(gradient, k.beta2) * s)
    denominator = fma(root(s), like(gradient, k.correction), like(gradient, k.epsilon))
    return parameter - quotient(like(gradient, k.adam_rate) * m, denominator), m, s


@register_jitable
def adamw(parameter, m, s, gradient, k):
    parameter = parameter * like(gradient, 1.0 - k.lr * k.weight_decay)
    return adam(parameter, m, s, gradient, k)


@register_jitable
def gd(parameter, m, s, gradient, k):
    return fma(like(gradient, -k.lr), gradient, parameter), m, s


@register_jitable
def momentum(parameter, m, s, gradient, k):
    m = fma(like(gradient, k.momentum), m, gradient)
    return fma(like(gradient, -k.lr), m, parameter), m, s


@register_jitable
def nesterov(parameter, m, s, gradient, k):
    m = fma(like(gradient, k.momentum), m, gradient)
    ahead = fma(like(gradient, k.momentum), m, gradient)
    return fma(like(gradient, -k.lr), ahead, parameter), m, s


@register_jitable
def rmsprop(parameter, m, s, gradient, k):
    s = fma(like(gradient, 1.0 - k.beta2) * gradient, gradient, like(gradient, k.beta2) * s)
    denominator = root(s) + like(gradient, k.epsilon)
    return parameter - quotient(like(gradient, k.lr) * gradient, denominator), m, s


UPDATES = {
    "adam": adam,
    "adamw": adamw,
    "gd": gd,
    "momentum": momentum,
    "nesterov": nesterov,
    "rmsprop": rmsprop,
}


def update(spec, parameter, m, s, gradient, k):
    """(parameter, m, s) after one step of the optimiser of `spec`."""
    raise TypeError("update runs inside compiled functions only")


@overload(update)
def _compile_update(spec, parameter, m, s, gradient, k):
    evaluate = UPDATES[spec.optimizer]
    return lambda spec, parameter, m, s, gradient, k: evaluate(parameter, m, s, gradient, k)
