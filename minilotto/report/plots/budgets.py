"""An axis of steps that were trained."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullFormatter


def steps_axis(ax: Axes, marks: Sequence[int] = ()) -> Axes:
    """Steps on a logarithmic axis, in words such as 50k and 1M, at places if any are given."""
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    marks = marks or [m * 10**k for k in range(9) for m in (1, 5) if low <= m * 10**k <= high]
    ax.xaxis.set_major_locator(FixedLocator(marks))
    ax.set_xticklabels([_short(mark) for mark in marks])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("Adam steps")
    return ax


def _short(steps: int) -> str:
    if steps >= 10**6:
        return f"{steps // 10**6}M"
    return f"{steps // 1000}k" if steps >= 1000 else f"{steps}"
