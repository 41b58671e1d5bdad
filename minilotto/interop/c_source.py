"""Nets as C99 source that needs only the standard library, for C, C++, Fortran (iso_c_binding) and
other languages that call C.

The arithmetic of an activation is not repeated here: interop/c_formulas.py writes it from the
formulas of kernels/formulas.py.
"""

from typing import Any

import numpy as np

from minilotto.errors import ConfigError, shown
from minilotto.initialisation import Parameters
from minilotto.interop.c_formulas import REAL, Writer, Written, number
from minilotto.interop.vectors import check_exported
from minilotto.kernels.formulas import FORMULAS
from minilotto.settings.activations import Activation
from minilotto.settings.limits import check_choice
from minilotto.version import VERSION

MOST_NUMBERS = 10**6  # in one source; compilers need minutes for more
# Keywords and library names of C99, C11 and C++20 that a function must not have; those of numbers
# are also taken with an f or an l behind them, as sinf.
_OTHERS = """
    auto break case char const continue default do double else enum extern float for goto if inline
    int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while asm fortran alignas alignof and and_eq bitand bitor bool catch
    char8_t char16_t char32_t class compl concept consteval constexpr constinit const_cast co_await
    co_return co_yield decltype delete dynamic_cast explicit export false friend mutable namespace
    new noexcept not not_eq nullptr operator or or_eq private protected public reinterpret_cast
    requires static_assert static_cast template this thread_local throw true try typeid typename
    using virtual wchar_t xor xor_eq main NULL NAN INFINITY memcpy memset memcmp memmove strlen
    strcmp strcpy index
"""
_OF_NUMBERS = """
    acos asin atan atan2 cos sin tan acosh asinh atanh cosh sinh tanh exp exp2 expm1 log log10 log1p
    log2 logb modf frexp ldexp ilogb scalbn scalbln cbrt fabs hypot pow sqrt erf erfc lgamma tgamma
    ceil floor nearbyint rint lrint llrint round lround llround trunc fmod remainder remquo copysign
    nan nextafter nexttoward fdim fmax fmin fma isnan isinf isfinite isnormal signbit fpclassify y0
    y1 yn j0 j1 jn gamma
"""
RESERVED = frozenset(
    [*_OTHERS.split(), *(name + end for name in _OF_NUMBERS.split() for end in ("", "f", "l"))]
)


def c_source(
    activation: Activation,
    parameters: Parameters,
    name: str,
    dtype: str,
    note: str = "",
    residual: bool = False,
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
    residual : bool
        As in Config.

    Returns
    -------
    str
        The source.

    Raises
    ------
    ConfigError
        For another dtype, another name, no net, a net that is not finite, in this dtype too, or
        more than a million numbers.
    """
    check_choice("dtype", dtype, REAL)
    _check_name(name)
    exact = Parameters(*(np.asarray(array, dtype=np.float64) for array in parameters))
    nets, width, inputs = exact.w.shape
    check_exported(parameters)
    size = nets * (width * (2 * inputs + 2) + 1) + exact.hidden_w.size + exact.hidden_b.size
    if size > MOST_NUMBERS:
        raise ConfigError(
            f"{nets} nets of width {width} are {size:,} numbers; a source takes up to "
            f"{MOST_NUMBERS:,}, select fewer nets"
        )
    with np.errstate(over="ignore"):  # of numbers that are refused then
        if exact.depth > 1:
            return _LayeredSource(activation, exact, name, dtype, residual).text(note)
        return _Source(activation, exact, name, dtype).text(note)


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.isascii() or not name.isidentifier():
        raise ConfigError(
            f"name={shown(name)} is no C identifier; use letters, digits and underscores, a letter "
            "first"
        )
    if name in RESERVED or name.startswith("_") or name.endswith("_t") or "__" in name:
        raise ConfigError(f"name={name!r} is reserved in C or C++; choose another")
    if len(name) > 31:
        raise ConfigError(
            f"name={shown(name)} is longer than the 31 characters that C compilers distinguish; "
            "choose a shorter one"
        )


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
        inputs = range(self.inputs)
        self.out = ["*slope"] if self.inputs == 1 else [f"gradient[{d}]" for d in inputs]
        self.outside = f"    if (net < 0 || net >= {self.nets})\n        return NAN;\n"
        self.outside *= self.nets > 1
        # Of the first layer: n[D] + sum_d n[d] x[d].
        self.argument = f"n[{self.inputs}]"
        for d, x in enumerate(["x"] if self.inputs == 1 else [f"x[{d}]" for d in inputs]):
            self.argument = f"{self.prefix}_FMA(n[{d}], {x}, {self.argument})"

    def text(self, note: str) -> str:
        neuron = self._neuron()
        # On one line that ends no comment, in plain ASCII.
        note = " ".join(note.split()).replace("*/", "* /").replace("/*", "/ *")
        note = note.encode("ascii", "replace").decode()
        head = HEAD.format(
            title=f"{self.name}: {self._title()}, and df/dx",
            count=f"{self.nets} nets" if self.nets > 1 else "One net",
            width=self.width,
            activation=self.activation.name,
            inputs=self.inputs,
            s="s" * (self.inputs > 1),
            real=self.real,
            version=VERSION,
            note=f"   {note}\n" if note else "",
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

    def _title(self) -> str:
        return f"f(x) = sum_i v_i {self.activation.name}(w_i x + b_i) + c"

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
        inward, outward, (w, b, v, c, *_) = self._scaled()
        columns = [w * inward, (b * inward)[..., None], (v * outward)[..., None], v[..., None] * w]
        rows = np.concatenate(columns, axis=2).reshape(self.nets * self.width, -1)
        return (
            "\n/* Of each neuron: w and b over the unit of the activation's argument, v times "
            "that of its value, and v w. */\n"
            f"{self._table('neurons', rows)}{self._list('c', c)}"
        )

    def _scaled(self) -> tuple[Any, Any, list[Any]]:
        """1 / the input unit, the output unit and the parameters, in the precision."""
        real = np.dtype(self.dtype).type
        units = real(1.0 / self.formula.input_unit), real(self.formula.output_unit)
        return *units, [array.astype(real) for array in self.parameters]

    def _table(self, name: str, rows: Any) -> str:
        lines = ["    {" + ", ".join(self._number(value) for value in row) + "},\n" for row in rows]
        return (
            f"static const {self.real} {self.prefix}_{name}[{len(rows)}][{rows.shape[1]}] = "
            f"{{\n{''.join(lines)}}};\n"
        )

    def _list(self, name: str, values: Any) -> str:
        numbers = ",\n".join(f"    {self._number(value)}" for value in values)
        return (
            f"static const {self.real} {self.prefix}_{name}[{len(values)}] = {{\n{numbers}\n}};\n"
        )

    def _number(self, value: Any) -> str:
        return number(value, self.dtype)

    def _functions(self) -> str:
        D, real, P = self.inputs, self.real, self.prefix
        value, derivative = self._declarations()
        first, end, at = "0", str(self.width), "0"
        if self.nets > 1:
            first, end, at = f"net * {self.width}", f"(net + 1) * {self.width}", "net"
        sums = "".join(
            f"        {o} = {P}_FMA(n[{D + 2 + d}], s, {o});\n" for d, o in enumerate(self.out)
        )
        zeros = "".join(f"    {o} = 0;\n" for o in self.out)
        loop = (
            f"    {real} f = {P}_c[{at}], s;\n"
            f"    int i;\n"
            f"    for (i = {first}; i < {end}; i++) {{\n"
            f"        const {real} *n = {P}_neurons[i];\n"
            f"        f = {P}_FMA(n[{D + 1}], {P}_activation({self.argument}, &s), f);\n"
        )
        return (
            f"\n{value}\n{{\n{self.outside}{loop}    }}\n    return f;\n}}\n"
            f"\n{derivative}\n{{\n{self.outside}{zeros}{loop}{sums}    }}\n    return f;\n}}\n"
        )


class _LayeredSource(_Source):
    """The same of several hidden layers. Derivatives are carried forward beside the values."""

    def __init__(
        self, activation: Activation, parameters: Parameters, name: str, dtype: str, residual: bool
    ) -> None:
        super().__init__(activation, parameters, name, dtype)
        self.residual, self.depth = residual, parameters.depth

    def _title(self) -> str:
        sigma, L = self.activation.name, self.depth
        later = f"{sigma}(W_l h_(l-1) + b_l)"
        if self.residual:
            later = f"h_(l-1) + {later} / {L}"
        return f"f(x) = v h_{L} + c, h_1 = {sigma}(w x + b), h_l = {later}"

    def _tables(self) -> str:
        inward, outward, (w, b, v, c, hidden_w, hidden_b) = self._scaled()
        first = np.concatenate([w * inward, (b * inward)[..., None]], axis=-1)
        later = [hidden_w * (outward * inward), (hidden_b * inward)[..., None]]
        rows = np.concatenate(later, axis=-1).reshape(-1, self.width + 1)
        return (
            "\n/* Weights and bias of each neuron of the first layer, and of later ones, in units "
            "of the activation; v and c. */\n"
            f"{self._table('first', first.reshape(-1, self.inputs + 1))}"
            f"{self._table('later', rows)}"
            f"{self._list('v', (v * outward).ravel())}{self._list('c', c)}"
        )

    def _functions(self) -> str:
        value, derivative = self._declarations()
        return "".join(
            f"\n{head}\n{{\n{self.outside}{self._body(slopes)}}}\n"
            for head, slopes in ((value, False), (derivative, True))
        )

    def _body(self, slopes: bool) -> str:
        D, N, L, P, real = self.inputs, self.width, self.depth, self.prefix, self.real
        several = self.nets > 1
        at, neuron = ("net", f"net * {N} + i") if several else ("0", "i")
        layer = f"(net * {L - 1} + l) * {N} + i" if several else f"l * {N} + i"
        share = self._number(np.dtype(self.dtype).type(1.0 / L if self.residual else 1.0))
        ratio = self.formula.input_unit / self.formula.output_unit
        unit = self._number(np.dtype(self.dtype).type(ratio))
        begin, inner = f"for (i = 0; i < {N}; i++) {{", f"for (j = 0; j < {N}; j++)"
        g = f", g[{D}][{N}], after_g[{D}][{N}]" if slopes else ""
        lines = [
            *(f"    {real} h[{N}], after[{N}]{g}, s, t, f;", "    int i, j, l;"),
            *(f"    {begin}", f"        const {real} *n = {P}_first[{neuron}];"),
            f"        h[i] = {P}_activation({self.argument}, &s);",
            *(f"        g[{d}][i] = s * {unit} * n[{d}];" for d in range(D * slopes)),
            *("    }", f"    for (l = 0; l < {L - 1}; l++) {{", f"        {begin}"),
            f"            const {real} *n = {P}_later[{layer}];",
            f"            t = n[{N}];",
            *(f"            {inner}", f"                t = {P}_FMA(n[j], h[j], t);"),
            f"            after[i] = {P}_activation(t, &s) * {share}{' + h[i]' * self.residual};",
        ]
        for d in range(D * slopes):
            lines += [
                *("            t = 0;", f"            {inner}"),
                f"                t = {P}_FMA(n[j], g[{d}][j], t);",
                f"            after_g[{d}][i] = s * {unit} * {share} * t"
                f"{f' + g[{d}][i]' * self.residual};",
            ]
        lines += ["        }", "        memcpy(h, after, sizeof h);"]
        lines += ["        memcpy(g, after_g, sizeof g);"] * slopes
        lines += ["    }", f"    f = {P}_c[{at}];", *(f"    {o} = 0;" for o in self.out * slopes)]
        lines += [f"    {begin}", f"        f = {P}_FMA({P}_v[{neuron}], h[i], f);"]
        lines += [
            f"        {o} = {P}_FMA({P}_v[{neuron}], g[{d}][i], {o});"
            for d, o in enumerate(self.out * slopes)
        ]
        return "\n".join([*lines, "    }", "    return f;", ""])
