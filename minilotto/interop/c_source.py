"""Nets as C99 source that needs only the standard library, for C, C++, Fortran (iso_c_binding) and
other languages that call C.

The arithmetic of an activation is not repeated here: the formulas of kernels/formulas.py are called
with objects that record the operations as C statements.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minilotto.errors import ConfigError, shown
from minilotto.initialisation import Parameters
from minilotto.interop.vectors import check_exported
from minilotto.kernels.formulas import FORMULAS
from minilotto.kernels.retarget import retargeted
from minilotto.settings.activations import Activation
from minilotto.settings.limits import check_choice
from minilotto.version import VERSION

REAL = {"float64": ("double", "", 64), "float32": ("float", "f", 32)}
MOST_NUMBERS = 10**6  # in one source; compilers need minutes for more
# Keywords and library names of C99, C11 and C++20 that a function must not have.
_NAMES = """
    auto break case char const continue default do double else enum extern float for goto if inline
    int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while asm fortran alignas alignof and and_eq bitand bitor bool catch
    char8_t char16_t char32_t class compl concept consteval constexpr constinit const_cast co_await
    co_return co_yield decltype delete dynamic_cast explicit export false friend mutable namespace
    new noexcept not not_eq nullptr operator or or_eq private protected public reinterpret_cast
    requires static_assert static_cast template this thread_local throw true try typeid typename
    using virtual wchar_t xor xor_eq main NULL NAN INFINITY acos asin atan atan2 cos sin tan acosh
    asinh atanh cosh sinh tanh exp exp2 expm1 log log10 log1p log2 logb modf frexp ldexp ilogb
    scalbn scalbln cbrt fabs hypot pow sqrt erf erfc lgamma tgamma ceil floor nearbyint rint lrint
    llrint round lround llround trunc fmod remainder remquo copysign nan nextafter nexttoward fdim
    fmax fmin fma isnan isinf isfinite isnormal signbit fpclassify y0 y1 yn j0 j1 jn gamma memcpy
"""
RESERVED = frozenset(_NAMES.split())


def c_source(
    activation: Activation, parameters: Parameters, name: str, dtype: str, note: str = ""
) -> str:
    """C source of functions that evaluate R nets.

    For one net of one input they are

        double name(double x);
        double name_with_slope(double x, double *slope);

    with `float` for float32. For several inputs x is `const double *x` (D numbers), and
    name_with_gradient(x, double *gradient) writes D numbers. For R > 1 nets the first argument is
    `int net`, from 0; both return NaN if there is no such net.

    Parameters
    ----------
    activation : Activation
        Activation of the nets.
    parameters : Parameters
        Of R nets.
    name : str
        A C identifier of up to 31 characters.
    dtype : {"float32", "float64"}
        Precision of the computation.
    note : str
        Text for the first comment.

    Returns
    -------
    str
        The source.

    Raises
    ------
    ConfigError
        For another dtype, another name, no net, a net that is not finite, or more than a million
        numbers.
    """
    check_choice("dtype", dtype, REAL)
    _check_name(name)
    w, b, v, c = (np.asarray(array, dtype=np.float64) for array in parameters)
    nets, width, inputs = w.shape
    check_exported(parameters)
    size = nets * (width * (2 * inputs + 2) + 1)
    if size > MOST_NUMBERS:
        raise ConfigError(
            f"{nets} nets of width {width} are {size:,} numbers; a source takes up to "
            f"{MOST_NUMBERS:,}, select fewer nets"
        )
    return _Source(activation, Parameters(w, b, v, c), name, dtype).text(note)


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.isascii() or not name.isidentifier():
        raise ConfigError(
            f"name={shown(name)} is no C identifier; use letters, digits and underscores, a letter "
            "first"
        )
    if name in RESERVED or name.startswith("_") or "__" in name:
        raise ConfigError(f"name={name!r} is reserved in C or C++; choose another")
    if len(name) > 31:
        raise ConfigError(
            f"name={shown(name)} is longer than the 31 characters that C compilers distinguish; "
            "choose a shorter one"
        )


class Written:
    """A number of which only the C text is known; operators write statements.

    Parameters
    ----------
    writer : Writer
        Keeps the statements.
    text : str
        The number, as C.
    """

    def __init__(self, writer: "Writer", text: str) -> None:
        self.writer, self.text = writer, text

    def __add__(self, other: "Written") -> "Written":
        return self.writer.keep(f"{self.text} + {other.text}")

    def __sub__(self, other: "Written") -> "Written":
        return self.writer.keep(f"{self.text} - {other.text}")

    def __mul__(self, other: "Written") -> "Written":
        return self.writer.keep(f"{self.text} * {other.text}")

    def __truediv__(self, other: "Written") -> "Written":
        return self.writer.keep(f"{self.text} / {other.text}")

    def __neg__(self) -> "Written":
        return self.writer.keep(f"-({self.text})")

    def __lt__(self, other: "Written") -> str:
        return f"{self.text} < {other.text}"

    def __gt__(self, other: "Written") -> str:
        return f"{self.text} > {other.text}"


class Writer:
    """Runs formulas of kernels/formulas.py and records them as C statements, one operation each.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Precision of the C code.
    prefix : str
        Of the names of its macros.
    """

    def __init__(self, dtype: str, prefix: str) -> None:
        self.real, self.suffix, self.bits = REAL[dtype]
        self.prefix, self.dtype = prefix, dtype
        self.lines: list[str] = []
        self.known: dict[str, Written] = {}

    def keep(self, expression: str) -> Written:
        """Record an expression, once however often it occurs.

        Parameters
        ----------
        expression : str
            C text.

        Returns
        -------
        Written
            Its result.
        """
        if expression not in self.known:
            self.known[expression] = Written(self, f"t{len(self.lines)}")
            self.lines.append(f"const {self.real} t{len(self.lines)} = {expression};")
        return self.known[expression]

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a formula with operations that write C.

        Parameters
        ----------
        function : callable
            Of kernels/formulas.py.
        *arguments
            What it takes.

        Returns
        -------
        Written or tuple of Written
            What it returns.
        """
        operations: dict[str, Callable[..., Any]] = {
            "fma": lambda a, b, c: self.keep(f"{self.prefix}_FMA({a.text}, {b.text}, {c.text})"),
            "like": lambda model, value: (
                value if isinstance(value, Written) else Written(self, number(value, self.dtype))
            ),
            "absolute": lambda a: self.keep(f"fabs{self.suffix}({a.text})"),
            "square_root": lambda a: self.keep(f"sqrt{self.suffix}({a.text})"),
            "with_sign_of": lambda a, b: self.keep(f"copysign{self.suffix}({a.text}, {b.text})"),
            "where": lambda mask, a, b: self.keep(f"{mask} ? {a.text} : {b.text}"),
            "fraction": lambda t: self.keep(f"{t.text} - rint{self.suffix}({t.text})"),
            "scale": lambda a, n: self.keep(f"{self.prefix}_scale({a.text}, {n.text})"),
        }
        return retargeted(function, operations, lambda x: self.bits)(*arguments)


def number(value: float, dtype: str) -> str:
    """A C constant with exactly this value.

    Parameters
    ----------
    value : float
        Finite.
    dtype : {"float32", "float64"}
        Its precision.

    Returns
    -------
    str
        C text.
    """
    if dtype == "float32":
        text = str(np.float32(value))
        return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"
    return repr(float(value))


HEAD = """\
/* {title}
   {count} of {width} neurons, {activation}, {inputs} input{s}; {real}. \
Written by minilotto {version}.
{note}
{declarations} */
#include <math.h>
#include <stdint.h>
#include <string.h>
"""

ARITHMETIC = """
/* One rounding where the machine has an instruction for it, two otherwise. */
#ifdef FP_FAST_FMA{big}
#define {P}_FMA(a, b, c) fma{f}((a), (b), (c))
#else
#define {P}_FMA(a, b, c) ((a) * (b) + (c))
#endif
"""

SCALE = """
/* a * 2^n for a whole number n; zero where 2^n is no normal number. */
static {real} {P}_scale({real} a, {real} n)
{{
    const {real} inside = n > -{bias}.0{f} ? (n < {above}.0{f} ? n : {above}.0{f}) : -{bias}.0{f};
    const uint{bits}_t pattern = (uint{bits}_t)((int{bits}_t)inside + {bias}) << {mantissa};
    {real} power;
    memcpy(&power, &pattern, sizeof power);
    return a * power;
}}
"""


class _Source:
    """The parts of one source."""

    def __init__(
        self, activation: Activation, parameters: Parameters, name: str, dtype: str
    ) -> None:
        self.activation, self.parameters = activation, parameters
        self.name, self.dtype = name, dtype
        self.nets, self.width, self.inputs = parameters.w.shape
        self.real, self.suffix, self.bits = REAL[dtype]
        self.formula = FORMULAS[activation.name]
        self.prefix = f"minilotto_{name}"
        self.derivative = "slope" if self.inputs == 1 else "gradient"

    def text(self, note: str) -> str:
        neuron = self._neuron()
        title = f"{self.name}: f(x) = sum_i v_i {self.activation.name}(w_i x + b_i) + c, and df/dx"
        head = HEAD.format(
            title=title,
            count=f"{self.nets} nets" if self.nets > 1 else "One net",
            width=self.width,
            activation=self.activation.name,
            inputs=self.inputs,
            s="s" * (self.inputs > 1),
            real=self.real,
            version=VERSION,
            note=f"   {_comment(note)}\n" if note else "",
            declarations="\n".join(f"     {declaration};" for declaration in self._declarations()),
        )
        settings = {
            "P": self.prefix,
            "f": self.suffix,
            "real": self.real,
            "bits": self.bits,
            "big": self.suffix.upper(),
        }
        arithmetic = ARITHMETIC.format(**settings)
        if f"{self.prefix}_scale" in neuron:
            bias, mantissa = (1023, 52) if self.bits == 64 else (127, 23)
            arithmetic += SCALE.format(**settings, bias=bias, above=bias + 1, mantissa=mantissa)
        return head + arithmetic + self._tables() + neuron + self._functions()

    def _neuron(self) -> str:
        """The activation in its natural unit, from its formula."""
        writer = Writer(self.dtype, self.prefix)
        results = writer.run(
            self.formula.evaluate,
            Written(writer, "t"),
            Written(writer, number(self.activation.parameter, self.dtype)),
        )
        body = "".join(f"    {line}\n" for line in writer.lines)
        return (
            f"\n/* {self.activation.name}(t * {self.formula.input_unit!r}) over "
            f"{self.formula.output_unit!r}, and its slope. */\n"
            f"static {self.real} {self.prefix}_activation({self.real} t, {self.real} *slope)\n{{\n"
            f"{body}    *slope = {results[1].text};\n    return {results[0].text};\n}}\n"
        )

    def _declarations(self) -> tuple[str, str]:
        net = "int net, " if self.nets > 1 else ""
        point = f"{self.real} x" if self.inputs == 1 else f"const {self.real} *x"
        return (
            f"{self.real} {self.name}({net}{point})",
            f"{self.real} {self.name}_with_{self.derivative}({net}{point}, {self.real} "
            f"*{self.derivative})",
        )

    def _tables(self) -> str:
        """Parameters as the kernels scale them, in the precision of the source."""
        real = np.dtype(self.dtype).type
        w, b, v, c = (array.astype(real) for array in self.parameters)
        inward, outward = real(1.0 / self.formula.input_unit), real(self.formula.output_unit)
        columns = [w * inward, (b * inward)[..., None], (v * outward)[..., None], v[..., None] * w]
        rows = np.concatenate(columns, axis=2).reshape(self.nets * self.width, -1)
        lines = ["    {" + ", ".join(self._number(value) for value in row) + "},\n" for row in rows]
        constants = ",\n".join(f"    {self._number(value)}" for value in c)
        return (
            "\n/* Of each neuron: w and b over the unit of the activation's argument, v times "
            "that of its value, and v w. */\n"
            f"static const {self.real} {self.prefix}_neurons[{len(rows)}][{rows.shape[1]}] = "
            f"{{\n{''.join(lines)}}};\n"
            f"static const {self.real} {self.prefix}_c[{self.nets}] = {{\n{constants}\n}};\n"
        )

    def _number(self, value: Any) -> str:
        return number(value, self.dtype)

    def _functions(self) -> str:
        D, real, P = self.inputs, self.real, self.prefix
        value, derivative = self._declarations()
        x = ["x"] if D == 1 else [f"x[{d}]" for d in range(D)]
        out = ["*slope"] if D == 1 else [f"gradient[{d}]" for d in range(D)]
        argument = f"n[{D}]"
        for d in range(D):
            argument = f"{P}_FMA(n[{d}], {x[d]}, {argument})"
        outside, first, end, at = "", "0", str(self.width), "0"
        if self.nets > 1:
            outside = f"    if (net < 0 || net >= {self.nets})\n        return NAN;\n"
            first, end, at = f"net * {self.width}", f"(net + 1) * {self.width}", "net"
        sums = "".join(
            f"        {o} = {P}_FMA(n[{D + 2 + d}], s, {o});\n" for d, o in enumerate(out)
        )
        zeros = "".join(f"    {o} = 0;\n" for o in out)
        loop = (
            f"    {real} f = {P}_c[{at}], s;\n"
            f"    int i;\n"
            f"    for (i = {first}; i < {end}; i++) {{\n"
            f"        const {real} *n = {P}_neurons[i];\n"
            f"        f = {P}_FMA(n[{D + 1}], {P}_activation({argument}, &s), f);\n"
        )
        return (
            f"\n{value}\n{{\n{outside}{loop}    }}\n    return f;\n}}\n"
            f"\n{derivative}\n{{\n{outside}{zeros}{loop}{sums}    }}\n    return f;\n}}\n"
        )


def _comment(note: str) -> str:
    """`note` on one line that ends no comment and is plain ASCII."""
    line = " ".join(note.split()).replace("*/", "* /").replace("/*", "/ *")
    return line.encode("ascii", "replace").decode()
