"""The figure of the study of two-class problems, a column for each."""

from minilotto.analysis.ensembling.two_classes import PARTS
from minilotto.analysis.stats.estimates import estimates
from minilotto.report.plots import curves
from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, Drawing, grid
from minilotto.report.studies.classification.classification import Classification


def draw(study: Classification) -> Drawing:
    problems = study.problems
    figure, axes = grid(3, len(problems), max(5.0, 2.75 * len(problems)), 8.2, sharex=True)
    for column, (title, one) in enumerate(problems.items()):
        upper, middle, lower = (row[column] for row in axes)
        for part, color, mark in zip(PARTS, (BLUE, ORANGE), "os", strict=True):
            loss = estimates(one.losses[part])
            curves.log_series(loss, upper, color, mark, f"one net, {part}")
            curves.series(one.errors[part], middle, color, mark)
            gains = {width: two.gain for width, two in one.means(part, 2).items()}
            label = f"loss of two nets' mean logit / their mean loss, {part}"
            curves.series(gains, lower, color, mark, label)
        ensembles = {one.most * n: each for n, each in one.means(PARTS[1], one.most).items()}
        loss = {neurons: each.loss for neurons, each in ensembles.items()}
        label = f"mean logit of {one.most} nets, held out"
        curves.log_series(loss, upper, GREEN, "D", label)
        errors = {neurons: each.error for neurons, each in ensembles.items() if each.error}
        curves.series(errors, middle, GREEN, "D")
        cosines = {width: cosine for width in one.synergies if (cosine := one.cosine(width))}
        label = "cosine of two nets' residuals, training"
        curves.series(cosines, lower, PURPLE, "P", label, "--")
        found = one.losses[PARTS[0]]
        start, limits = (found.widths[0], 1.6 * found.value[0]), upper.get_ylim()
        curves.power_law(start, found.widths[-1], 1, upper, "$N^{-1}$")
        upper.set_ylim(limits)
        label = "gain of independent errors"
        lower.axhline(0.5, color=GREY, linestyle=":", linewidth=1.2, label=label)
        curves.width_axis(upper, "")
        upper.set_title(title)
        lower.set(ylim=(-0.05, 1.25), xlabel="width $N$")
        middle.set_ylim(bottom=0)
    labels = ("median logistic loss", "mean error rate", "gain of averaging, cosine")
    for row, text in zip(axes, labels, strict=True):
        row[0].set_ylabel(text)
    curves.shared_legend(figure, [axes[0][0], axes[2][0]], 3)
    return figure
