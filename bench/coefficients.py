"""Derive the polynomial coefficients of `minilotto/kernels/formulas.py`.

`python bench/coefficients.py` prints them with their errors. Remez exchange in 60 digits, for the
least relative error over the stated interval. Needs mpmath (extra `bench`).
"""

from minilotto.errors import optional

with optional("mpmath", "bench"):
    import mpmath as mp

mp.mp.dps = 60


def minimax(function, low, high, degree, constant=None):
    """The polynomial p that minimises max |p / function - 1| on [low, high]; its constant term is
    fixed where `constant` is given.

    Returns (coefficients from the constant term up, largest relative error).
    """
    powers = range(degree + 1) if constant is None else range(1, degree + 1)
    fixed = mp.mpf(constant or 0)
    count = len(powers) + 1
    middle, half = (mp.mpf(high) + low) / 2, (mp.mpf(high) - low) / 2
    points = [middle - half * mp.cos(mp.pi * (i + mp.mpf("0.5")) / count) for i in range(count)]
    scan = [low + 2 * half * mp.mpf(i) / 1500 for i in range(1501)]
    scan = [x for x in scan if constant is None or low == 0 or x != 0]
    for _ in range(30):
        matrix, right = mp.matrix(count, count), mp.matrix(count, 1)
        for i, x in enumerate(points):
            # A fixed value at zero makes the error change sign there, which is no alternation.
            value = function(x) * (-1 if constant is not None and x < 0 else 1)
            for j, power in enumerate(powers):
                matrix[i, j] = x**power / value
            matrix[i, count - 1] = (-1) ** i
            right[i] = (function(x) - fixed) / value
        solution = mp.lu_solve(matrix, right)
        coefficients = ([] if constant is None else [fixed]) + list(solution)[:-1]

        def error(x, coefficients=coefficients):
            return mp.polyval(coefficients[::-1], x) / function(x) - 1

        errors = [error(x) * (-1 if constant is not None and x < 0 else 1) for x in scan]
        extrema, start = [], 0
        for i in range(1, len(scan) + 1):  # the largest error of each run of equal signs
            if i == len(scan) or mp.sign(errors[i]) != mp.sign(errors[start]):
                extrema.append(max(range(start, i), key=lambda k: abs(errors[k])))
                start = i
        while len(extrema) > count:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
        if len(extrema) < count:
            break
        moved = max(abs(scan[k] - x) for k, x in zip(extrema, points, strict=True))
        points = [scan[k] for k in extrema]
        if moved == 0:
            break
    return coefficients, max(abs(e) for e in errors)


def power_of_two(r):
    return mp.mpf(2) ** r


def r_over_tanh(square):
    r = mp.sqrt(square) if square else mp.mpf(10) ** -25
    return r * mp.coth(mp.log(2) / 2 * r)


def log2_over_q(square):
    q = mp.sqrt(square) if square else mp.mpf(10) ** -25
    return 2 / mp.log(2) * mp.atanh(q) / q


def normal_tail(offset, reach):
    """Phi(-a) exp(a^2/2) / q with q = offset / (offset + a), as a function of u in [-1, 1] that
    maps to q over a in [0, reach].
    """
    lowest = mp.mpf(offset) / (offset + mp.mpf(reach))

    def function(u):
        q = (1 + lowest) / 2 + (1 - lowest) / 2 * u
        a = offset / q - offset
        return mp.erfc(a / mp.sqrt(2)) / 2 * mp.exp(a * a / 2) / q

    return function


POLYNOMIALS = {
    "2^r on [-1/2, 1/2], single": (power_of_two, mp.mpf(-1) / 2, mp.mpf(1) / 2, 5, 1),
    "2^r on [-1/2, 1/2], double": (power_of_two, mp.mpf(-1) / 2, mp.mpf(1) / 2, 11, 1),
    "r coth(r ln2/2) in r^2 on [0, 1/4], single": (r_over_tanh, 0, mp.mpf(1) / 4, 2),
    "r coth(r ln2/2) in r^2 on [0, 1/4], double": (r_over_tanh, 0, mp.mpf(1) / 4, 5),
    "log2((1+q)/(1-q))/q in q^2 on [0, 1/9], single": (log2_over_q, 0, mp.mpf(1) / 9, 4),
    "log2((1+q)/(1-q))/q in q^2 on [0, 1/9], double": (log2_over_q, 0, mp.mpf(1) / 9, 10),
    "normal tail, offset 3, reach 14.5, single": (normal_tail(3, mp.mpf("14.5")), -1, 1, 8),
    "normal tail, offset 4, reach 38.6, double": (normal_tail(4, mp.mpf("38.6")), -1, 1, 22),
}

if __name__ == "__main__":
    for name, problem in POLYNOMIALS.items():
        coefficients, error = minimax(*problem)
        print(f"{name}: relative error {mp.nstr(error, 3)}", flush=True)
        for coefficient in coefficients:
            print(f"    {mp.nstr(coefficient, 18)},", flush=True)
