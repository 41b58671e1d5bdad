"""Figures 2b and 2c: a thousand nets of two neurons, and the group of lowest loss, the tickets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.analysis.stats.bootstrap import median_interval
from minilotto.analysis.stats.estimates import share
from minilotto.analysis.stats.modes import Modes, modes
from minilotto.analysis.tickets.taylor import ticket_taylor
from minilotto.analysis.tickets.valley import EQ2
from minilotto.ensemble.plots import edges_of
from minilotto.report.claims import Case, Claim, Outcome, about, as_numbers, over, tally
from minilotto.report.figure import Figure, Scale, Source, Table, need, training_words
from minilotto.report.plots.distributions import peak_marks, shares
from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE, Drawing, beside, grid
from minilotto.report.rules import LEVEL, at_least, inside, near
from minilotto.settings.arrays import Array
from minilotto.store.grid import Sweep

# Eq. 2's ticket: w, b, v of the neuron with w > 0, and c; its loss on 100 equally spaced points.
PRINTED = {name: float(part.ravel()[-1]) for name, part in zip("wbvc", EQ2, strict=True)}
PRINTED_LOSS = 7.790e-6


def tickets(loss: Array, found: Modes) -> NDArray[np.bool_]:
    """The nets of the lowest proven peak; where some of them are below the register's loss of a
    ticket, which lies between the two best groups, these alone: few nets may not prove both.
    """
    low = loss <= found.peaks.high[0]
    best = low & (loss <= LossHistogram.entry.claims["tickets"]["ticket"])
    return np.asarray(best if best.any() else low)


class TwoNeurons(Figure):
    """A figure of the nets of width 2."""

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (Sweep(widths=(2,), seeds=scale.seeds, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        found = source.by_width(self.sweeps(scale)[0])
        need(found, (2,), "this figure")
        self.nets, self.training = found[2], training_words(found.values())

    def facts(self) -> dict[str, Any]:
        return {"training": self.training}


class LossHistogram(TwoNeurons):
    """Losses of the width-2 nets, their peaks, and how many of these are proven."""

    name = "2b"

    def __init__(self, source: Source, scale: Scale) -> None:
        super().__init__(source, scale)
        self.modes = modes(self.nets.loss)
        self.bad = self.entry.claims["good"]["bad"]  # losses above it the paper leaves aside
        self.good = int(np.count_nonzero(self.modes.peaks.location < self.bad))
        self.tickets = tickets(self.nets.loss, self.modes)

    def facts(self) -> dict[str, Any]:
        ticket = self.entry.claims["tickets"]["ticket"]
        return {**super().facts(), "error": self.modes.error, "ticket": ticket}

    def draw(self) -> Drawing:
        loss, peaks = self.nets.loss, self.modes.peaks
        figure, ((ax,),) = grid(1, 1, 7.0, 3.8)
        shares(loss, ax, edges_of(loss, 20))
        peak_marks(peaks.location.tolist(), peaks.share.tolist(), ax)
        ax.axvline(self.bad, color=GREY, linewidth=1.0)
        beside("good below, bad above", (self.bad, 0.9), (6, 0), ax, ax.get_xaxis_transform())
        return figure

    def headline(self) -> str:
        return (
            f"Nets of two neurons end in at least {self.modes.count} groups, {self.good} of them "
            f"below {self.bad:g}; {np.mean(self.tickets):.0%} draw a lottery ticket."
        )

    def tables(self) -> list[Table]:
        found = self.modes.peaks
        peaks = zip(found.location, found.share, found.low, found.high, strict=True)
        losses = zip(self.nets.seeds, self.nets.loss, strict=True)
        return [
            Table.of("losses", "seed, loss", losses),
            Table.of("peaks", "location, share, low, high", peaks),
        ]

    def claim_peaks(self, claim: Claim) -> Outcome:
        found, count = self.modes.peaks, self.modes.count
        places = ", ".join(
            f"{place:.2g} ({fraction:.1%})"
            for place, fraction in zip(found.location, found.share, strict=True)
        )
        return about(
            inside(at_least(count, len(self.nets)), claim["several"], np.inf),
            f"at least {count} peaks: {places}",
            numbers={"peaks": count},
            count=count,
        )

    def claim_good(self, claim: Claim) -> Outcome:
        return about(
            inside(at_least(self.good, len(self.nets)), claim["claimed"], claim["claimed"]),
            f"{self.good} proven below {self.bad:g}",
            numbers={"peaks below 1e-2": self.good},
        )

    def claim_tickets(self, claim: Claim) -> Outcome:
        best, nets = self.nets.loss[self.tickets], len(self.nets)
        found = share(len(best), nets, LEVEL, "wilson")
        return about(
            inside(at_least(self.modes.count, nets), 2, np.inf),
            f"{len(best)} of {nets} nets: {found:.1%}, losses {best.min():.2g} to {best.max():.2g}",
            numbers=as_numbers("share", found),
            one_in=nets / len(best),
        )


class Ticket(TwoNeurons):
    """The nets of the lowest peak: are their neurons mirror images, and is their error quartic?"""

    name = "2c"

    def __init__(self, source: Source, scale: Scale) -> None:
        super().__init__(source, scale)
        self.everyone = nets = self.nets
        self.nets = nets.select(tickets(nets.loss, modes(nets.loss)))
        order = np.argsort(self.nets.w[:, :, 0], axis=1)
        w, b, v = (
            np.take_along_axis(part.astype(np.float64), order, axis=1)
            for part in (self.nets.w[:, :, 0], self.nets.b, self.nets.v)
        )
        # Relative differences between a neuron and the mirror image of the other.
        w[:, 0] *= -1
        self.asymmetry = {
            name: np.abs(part[:, 0] - part[:, 1]) / np.abs(part).mean(axis=1)
            for name, part in zip("wbv", (w, b, v), strict=True)
        }
        c = self.nets.c.astype(np.float64)
        self.pair = {"w": np.abs(w).mean(axis=1), "b": b.mean(axis=1), "v": v.mean(axis=1), "c": c}
        # (T, 4): of 1, x^2, x^4, x^6
        self.coefficients = ticket_taylor(self.nets.activation, **self.pair, order=6)
        self.typical = int(np.argsort(self.nets.loss)[len(self.nets) // 2])

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "tickets": len(self.nets), "nets": len(self.everyone)}

    def draw(self) -> Drawing:
        x = np.linspace(-2, 2, 401)
        one = self.nets.select([self.typical])
        value = one.activation.value
        figure, ((left, right),) = grid(1, 2, 9.0, 3.8)
        order = np.argsort(one.w[0, :, 0])
        for i, color, side in zip(order, (BLUE, ORANGE), ("left", "right"), strict=True):
            w, b, v = (float(a) for a in (one.w[0, i, 0], one.b[0, i], one.v[0, i]))
            label = f"{side}: {v:.2f} σ({w:+.3f} x {b:+.3f})"
            left.plot(x, v * value(w * x + b), color=color, label=label)
        c = float(one.c[0])
        left.axhline(c, color=GREY, linewidth=1.0, linestyle="--", label=f"c = {c:.2f}")
        left.plot(x, one.predict(x)[0], color=GREEN, linewidth=2.0, label="sum: f(x)")
        left.plot(x[::20], x[::20] ** 2, "k.", markersize=4, label="x²")
        left.set(xlabel="x", ylabel="output", ylim=(-2, 7.5))
        left.legend(loc="upper center", ncols=2, fontsize=8)
        left.set_title(f"seed {int(one.seeds[0])}, the median ticket")
        errors = self.nets.predict(x) - x**2
        right.plot(x, errors.T, color=BLUE, alpha=0.08, linewidth=0.8)
        right.plot(x, errors[self.typical], color=ORANGE, linewidth=1.5, label="the median ticket")
        right.axhline(0, color=GREY, linewidth=0.8)
        right.set(xlabel="x", ylabel="error f(x) - x²")
        right.set_title(f"errors of all {len(self.nets)} tickets")
        right.legend(loc="upper center")
        return figure

    def tables(self) -> list[Table]:
        columns = {"seed": self.nets.seeds, "loss": self.nets.loss, **self.pair}
        columns |= {f"asymmetry of {name}": values for name, values in self.asymmetry.items()}
        columns |= {f"coefficient of x^{2 * k}": self.coefficients[:, k] for k in range(4)}
        return [Table("tickets", columns)]

    def claim_mirror(self, claim: Claim) -> Outcome:
        parts = self.asymmetry
        alike = np.all([values < claim["small"] for values in parts.values()], axis=0)
        found = share(int(alike.sum()), len(alike))
        described = ", ".join(f"{name} {np.median(values):.1e}" for name, values in parts.items())
        return about(
            inside(found, claim["most"], np.inf),
            f"{found:.1%} of {len(alike)} tickets; median relative difference: {described}",
            numbers={f"asymmetry of {n}": float(np.median(part)) for n, part in parts.items()},
        )

    def claim_printed(self, claim: Claim) -> Outcome:
        ours = {name: median_interval(self.pair[name] / one) for name, one in PRINTED.items()}
        loss = median_interval(self.nets.loss / PRINTED_LOSS)
        found = tally(ours, lambda one: near(one, 1.0, claim["apart"]))
        cases = [*found.cases, Case("loss", claim.same(loss), loss)]
        return over(cases, "ours over the printed, medians: ")

    def claim_quartic(self, claim: Claim) -> Outcome:
        names = ("constant", "quadratic", "quartic", "sextic")
        medians = dict(zip(names, map(median_interval, self.coefficients.T), strict=True))
        found = {name: one.value for name, one in medians.items()}
        cases = [
            Case(name, near(medians[name], claimed, claim["exact"]), medians[name])
            for name, claimed in (("constant", 0.0), ("quadratic", 1.0))
        ]
        off = (
            f"; at x = 2 the terms are off by {found['constant']:.2g}, "
            f"{4 * (found['quadratic'] - 1):.2g}, {16 * found['quartic']:.2g} and "
            f"{64 * found['sextic']:.2g}"
        )
        outcome = over(cases)
        return outcome._replace(measured=outcome.measured + off, numbers=found)
