"""Write docs/findings.md, and what README.md says of it, from a report.

`python docs/findings.py report/` takes the verdicts and numbers of the report in that folder into
docs/findings.json, its pictures into docs/findings-*.png, and writes docs/findings.md, the first
finding and the rows of the studies in README.md from them. A report of some figures takes their
places, and leaves the others as they were. A second folder is a report of another root seed, whose
verdicts are compared. Without a folder it writes all again from docs/findings.json.

In TEXT, [[figure/claim/number:format]] is a number of that claim, [[figure/claim]] what was
measured, and a line [[table VERDICT]] a table of the paper's claims that got this verdict.
"""

import json
import re
import sys
import textwrap
from collections import Counter
from pathlib import Path

from minilotto.errors import MinilottoError
from minilotto.report.catalogue import BEYOND, FIGURES
from minilotto.report.changes import changes, recorded
from minilotto.report.plots.style import thumbnail
from minilotto.report.rules import FAILS, HOLDS, IN_PART, VERDICTS

PLACE = Path(__file__).resolve().parent
PICTURES = (
    *("1c", "4", "protocol", "optimizer", "minimum", "ensembling", "inside", "depth"),
    *("noise", "subtasks", "time"),
)
ACROSS = 1100  # pixels of a picture
LINE = 140  # characters of a paragraph
BRIEF = 120  # characters of what was measured in a table
NEW = [study.name for study in BEYOND]

# The sentences in bold in README.md, after the colon.
OPENING = """the paper's observations are reproduced, with an exponent of [[1c/silu/exponent:.2f]]
([[1c/silu/low:.2f]] to [[1c/silu/high:.2f]]) between widths 10 and 50 by its protocol. [[first]]"""

TEXT = """# Findings

What a repetition of "A Neural Scaling Law from Lottery Ticket Ensembling" (Liu and Tegmark,
[arXiv:2310.02258](https://arxiv.org/abs/2310.02258)) found. Every number here, and
every verdict, is taken from a report by a command (`python docs/findings.py report/`); the report
itself has each claim's rule, intervals and picture ([how to make it](reproducing.md)).

## The question

The paper trains networks of one hidden layer on x² and sees the loss fall as 1/N with their width
N. It explains this by *lottery tickets*: pairs of neurons that are mirror images and solve the task
by themselves. A wide net holds more of them, and their combination has a smaller error. The
authors' own note says that the theory is questionable and that the observations stand.

[[counts]]

## What was reproduced

The observations. SiLU's median loss falls from width 10 to 50 with the exponent
[[1c/silu/exponent:.2f]] ([[1c/silu/low:.2f]] to [[1c/silu/high:.2f]]); of nets with two neurons
[[2b/tickets/share:.0%]] are tickets, and these are mirror images to within
[[2c/mirror/asymmetry of w:.0e]] of w in the median. One net of width 40 is as good as the paper's
null of two of width 20 (ratio of medians [[4/40/ratio:.2f]]).

![SiLU's loss falls as 1/N in the paper's range and rises beyond it](findings-1c.png)

[[table holds]]

Two statements need a remark. The paper counts independent tickets visually, as 1, 2 and 3 at
widths 10, 30 and 50; the nearest rule in numbers, eigenvalues above 1% of the largest, with the
output weights that the pairs have in their net, gives [[12/independent/output numerical 10:.0f]],
[[12/independent/output numerical 30:.0f]] and [[12/independent/output numerical 50:.0f]]. (With the
best output weights a participation ratio gives [[12/independent/span participation 10:.1f]],
[[12/independent/span participation 30:.1f]] and [[12/independent/span participation 50:.1f]].) And
the first layer of the paper's best distilled net, Eq. 11, printed to two digits, has with exact
output weights a loss of [[13/equation 11/in 80 digits:.3g]]; the paper says 1.6e-19.

What holds of some things and fails of others:

[[table holds in part]]

## What was not

[[table fails]]

Four statements need their context.

- **One power law.** The exponent over widths 10 to 50 is near 1, and the curve bends none the less:
  within that range the exponent changes by [[1c/curvature/bend:.2f]]
  ([[1c/curvature/low:.2f]] to [[1c/curvature/high:.2f]]), and past width 70 the loss rises.
- **Orthogonal errors.** Eq. 7 to 9 simplify by taking the errors of tickets as orthogonal, and the
  paper's footnote 3 withdraws that: tickets are highly correlated, and n counts the independent
  ones. So the cosine of [[4/orthogonal/cosine:.2f]] between the errors of two nets contradicts the
  average of Eq. 9, not the paper as a whole.
- **Averaging.** The plain average of two nets of width 20 leaves [[4/average/gain:.1%]] of the loss
  of one. But their best combination whose weights sum to one has [[4/40/best weights:.2f]] times
  the loss of one net of width 40. That is Eq. 5 and 6, which need no orthogonality: they are
  supported, and only the average of Eq. 9 is not.
- **The bias.** Where the loss levels off, the paper suspects an error common to all tickets. The
  fraction of the loss that is common to all seeds is large at most targets, of the central half of
  the nets by loss and of all nets alike; but it is as large where the loss still falls as 1/N
  (x²: up to [[7/variance/largest share for x²:.0%]] of it), so what falls there is not a variance
  between seeds.

![One net of width N against two of width N/2, combined in several ways](findings-4.png)

Not decided, or not testable here: [[names open]].

## What is new

[[headlines]]

![The exponent by rate, schedule and steps; starts; each width's best rate](findings-protocol.png)

![Loss against width by optimiser; that of Levenberg-Marquardt still falls](findings-optimizer.png)

Random-feature regression has its exponent from the optimiser
([arXiv:2605.29387](https://arxiv.org/abs/2605.29387)). Here, with the rate tuned at each width, the
first-order optimisers differ in loss by up to a factor of [[optimizer/prefactor/gd:.0f]] on x², and
their exponents by amounts that are too uncertain for a verdict. Nearly all of Adam's loss on x² is
an error of optimisation, as [arXiv:2210.13447](https://arxiv.org/abs/2210.13447) finds of small
smooth networks. But Levenberg-Marquardt is not at its end either: from 300 to 1,000 iterations its
loss falls to [[optimizer/end/N = 10:.1%]] at width 10 and to [[optimizer/end/N = 200:.1%]] at width
200. None of these laws is one of what the architecture allows. On max(x, 0), where no first-order
optimiser shows a law between widths 10 and 50, that of Levenberg-Marquardt is one of overfitting:
on the whole interval its networks lose [[optimizer/points''/N = 10:.0f]] times as much as on the
points at width 10, and [[optimizer/points''/N = 50:.0f]] times at width 50.

![Tickets lie in a valley, along which the loss falls without end](findings-minimum.png)

The valley is the paper's own remark, for one neuron, on why optimisation does not reach zero loss:
w goes to 0 and v to infinity at constant w² v. What is added here is that tickets lie in it, how
the loss falls along it, and that the number of steps says how far they get.

![What seeds have in common, and where the gain from N/2 to N is from](findings-ensembling.png)

![Tickets of one net, kept at random and combined in four ways](findings-inside.png)

Inside one net no way of combining tickets gives 1/K. Averaged they gain little, as their errors are
alike; weights that are at least 0 follow Eq. 9, which falls faster than 1/K since tickets differ in
quality; weights of any sign fall far faster still, by cancelling. The Gram form, which footnote 3
asks for, is so a law of cancelling and not of averaging.

![Loss against the number of layers; errors of layers and of seeds](findings-depth.png)

[arXiv:2602.05970](https://arxiv.org/abs/2602.05970) reports the loss of language models as 1/L,
probably as similar layers average their errors. In these nets of one smooth target layers do the
opposite: their errors have the cosines of terms that must cancel, and none can go.

![The variance over gradient noise does not fall as 1/N at fixed starts](findings-noise.png)

Interacting-particle theory has the errors of wide nets, those of SGD among them, scale universally
as 1/N ([arXiv:1805.00915](https://arxiv.org/abs/1805.00915)), with a central limit for many neurons
and steps together ([arXiv:1808.09372](https://arxiv.org/abs/1808.09372)); its rates fall with the
width. Here the rate stays, and the exponent of the variance over batches at a fixed start, 1 in a
central limit, is [[noise/central]] for Adam at a constant rate, [[noise/central']] for gradient
descent and [[noise/central'']] under Adam's step schedule, as where the points of a batch move all
neurons together. What batches cost Adam does not average out either: the mean over infinitely many
noises has [[noise/mean''/batch 10:.0f]] times the loss of full batch at batches of 10 points and a
falling rate, where gradient descent has [[noise/mean'/batch 10:.2f]] times.

![Shares of the neurons stay; losses of subtasks do not fall as 1/neurons](findings-subtasks.png)

The resource model ([arXiv:2402.05164](https://arxiv.org/abs/2402.05164)) has subtasks keep constant
shares of the neurons, with a loss in inverse proportion to them. In sums of x² of weights from 100
to 1 the first is close to what we see, once each subtask can have a pair of neurons: exponents of
shares against the width are [[subtasks/constant/least:.2f]] to
[[subtasks/constant/most:.2f]], some too uncertain for a verdict. The second is not: exponents of a
subtask's loss against its neurons are [[subtasks/slope/least:.2f]] to
[[subtasks/slope/most:.2f]], where the model has 1; none agrees for certain, and of eight subtasks
losses level off or rise from some five neurons on, at this number of steps. Nor do shares minimise
the loss: the heaviest of eight subtasks has [[subtasks/heavier/8 weighted:.1f]] times the neurons
of the lightest, where 10 times would.

![Variance over seeds by width and step; loss curves divided by their ends](findings-time.png)

Random features approach their infinite width as 1/N early and as another power late
([arXiv:2402.01092](https://arxiv.org/abs/2402.01092)); in the mean-field scaling variances over
starts are 1/N at any fixed time ([arXiv:2304.03408](https://arxiv.org/abs/2304.03408)). Early both
are right: after 10 steps of gradient descent the exponent of the variance is
[[time/early/gradient descent, output scale 64:.2f]] at output scale 64 and as near to 1 at the
others, if perhaps a little above it at scale 1, where it is
[[time/early/gradient descent, output scale 1:.2f]] over widths from 32 on. Late it depends on
the output scale: after 20,000 steps it is still
[[time/late/gradient descent, output scale 64:.2f]] at scale 64, where features hardly change, and
[[time/late/gradient descent, output scale 1:.2f]] at scale 1. Nets of scales below 1 have steeper
ones, which are no law of their own: the widest nets have the variance of those of scale 1, and
narrow ones lie far above it. Nor is it the richest training that varies least between
seeds, but that of scale 1. The loss of wide nets is bias at the end, which all share; so it is 1/N
at no scale for certain. From torch's start, which has no limit of infinite width at one rate, the
exponent of the variance is [[time/early_torch/Adam, torch's start:.2f]] after 100 steps and
[[time/late/Adam, torch's start:.2f]] at the end.

Feature learning is said to leave the exponent in time of easy tasks and to double at most that of
hard ones ([arXiv:2409.17858](https://arxiv.org/abs/2409.17858)). On x², from 1,000 to 20,000 steps
at width 512, it is [[time/clock/lazy:.2f]] at scale 64 and higher by
[[time/clock/output scale 1:.2f]] at scale 1: that is no easy task for features that do not move,
nor a doubling.

But for the laziest nets, loss curves of all widths do not collapse within the spread over seeds, as
those of large models do ([arXiv:2507.02119](https://arxiv.org/abs/2507.02119)): at a constant rate
and the best horizons they are [[time/constant/gradient descent, output scale 1:.1f]] times as far
apart at scale 1. Narrow nets make most of that: from width 32 on they are
[[time/constant/gradient descent, output scale 1, from width 32 on:.2f]] times as far apart, but
more than once with another root seed. Where the rate of gradient descent falls to 0, which that
paper finds decisive, they are
[[time/decayed/gradient descent, output scale 1, linear decay:.2f]] times as far apart, at three
widths, which is too near to 1 for a verdict.

[[table new]]

## How it was tested

- **One rule a claim, written down.** Claims, rules and margins are rows of registers that are read
  without the code ([`claims.toml`](../minilotto/report/paper/claims.toml), and one beside each
  study); the rules stand in [`rules.py`](../minilotto/report/rules.py).
- **Intervals** are over seeds and, for exponents, over the scatter of the widths about the law too.
  A claim holds where its interval lies in the stated range, fails where it lies outside, and is
  undecided otherwise; all tests of a figure or study share one error rate (Holm's correction).
- **Rules that can fail.** Planted power laws, breaks, plateaus and nulls go through the code that
  judges, at real numbers of seeds: `python -m bench.coverage --parts verdicts` prints the chance of
  each verdict under each truth.
- **Frozen rules.** They were written while results were seen, so they are no predictions. They are
  frozen at a version, and `--root_seed 1 --compare report/` applies them to trainings
  that nobody has looked at, and states which verdicts change. [[second]]
- **Kernels against oracles.** Every gradient is compared in every coordinate with two independent
  implementations (`python -m minilotto check`); trainings on nodes, on every point and by JAX give
  the same distribution of losses ([benchmarks](benchmarks.md)).
- **Stored nets** are trained again and compared bit for bit (`python -m minilotto verify
  report/runs --recompute 20`).
- **Analyses** are tested on planted truths: nets and losses that have the property, and nets that
  have not.

## Limits

- Small nets, mostly of one input, one hidden layer and full batches. Nothing here says what a large
  language model does; the paper leaves that open too.
- The paper does not print its protocol in full. The points, the domain, the precision and the
  initialisation are inferred from its printed numbers; its LeakyReLU's slope, its histograms' bins
  and its sampling of products are not known.
- Widths 10 to 50 span 0.7 decades. An exponent over them describes these widths, and what it is
  depends on the whole protocol: the verdict on 1/N is one about the paper's.
- Nets of width 10,000 magnify the last bit of rounding: on another CPU the same seeds give other
  nets, so no claim of figure 2a rests on one of them.
- Losses of 1e-7 and less are those of float32 trainings, evaluated in float64.
[[reduced]]

[[made]]
"""


def brief(measured: str) -> str:
    """The first things that were measured, as many as a table has place for."""
    parts, words = measured.split("; "), ""
    for part in parts:
        longer = f"{words}; {part}" if words else part
        if len(longer) > BRIEF:
            break
        words = longer
    return words or measured[: BRIEF - 3].rsplit(" ", 1)[0] + " ..."


def taken(report: dict) -> dict:
    """What the page needs of a report."""
    wanted = {tuple(one.split(":")[0].split("/")[:2]) for one in names(TEXT) if "/" in one}
    figures = {}
    for figure in report["figures"]:
        claims: dict[str, dict] = {}
        for claim in figure["claims"]:
            key = claim["key"]
            while key in claims:  # the same of another activation
                key += "'"
            claims[key] = {name: claim[name] for name in ("claim", "verdict")}
            claims[key]["measured"] = brief(claim["measured"])
            if (figure["name"], key) in wanted:
                claims[key]["numbers"] = claim["numbers"]
        kept = {name: figure[name] for name in ("title", "headline", "warning")}
        figures[figure["name"]] = {**kept, "claims": claims}
    made = {name: report["provenance"][name] for name in ("date", "minilotto", "machine")}
    return {"figures": figures, "made": made}


def second(folder: str, other: str) -> dict:
    """What changes with the root seed: sentences, and the seeds of the other report."""
    found = changes(recorded(folder), recorded(other))
    report = json.loads((Path(other) / "report.json").read_text(encoding="utf-8"))
    less, of = sum(bool(one["warning"]) for one in report["figures"]), len(report["figures"])
    seeds = f"{report['provenance']['seeds']}; {less} of {of} figures and studies reduced"
    words = [line for line in found.words() if "one alone" not in line]
    words.append(f"{len(found.lost)} are decided in one of the two reports alone.")
    return {"words": " ".join(words), "seeds": seeds}


def names(text: str) -> list[str]:
    """What stands in double brackets."""
    return re.findall(r"\[\[([^]]*)\]\]", text)


def page(found: dict) -> str:
    """docs/findings.md, its paragraphs and items in lines of LINE characters, without those about
    figures that no report has had.
    """
    blocks = [
        re.sub(r"\[\[([^]]*)\]\]", lambda match: _filled(match[1], found), block)
        for block in TEXT.strip().split("\n\n")
        if {a or b for a, b in re.findall(r"\[\[(\w+)/|findings-(\w+)\.png", block)}
        <= found["figures"].keys()
    ]
    blocks = [block if block[0] in "|!#" else _wrapped(block) for block in blocks if block]
    return "\n\n".join(blocks) + "\n"


def _wrapped(block: str) -> str:
    """A paragraph, or a list, with new breaks of lines."""
    items = re.split(r"\n(?=- )", block)
    look = {"break_long_words": False, "break_on_hyphens": False}
    return "\n".join(
        textwrap.fill(
            " ".join(item.split()), LINE, subsequent_indent="  " * (item[0] == "-"), **look
        )
        for item in items
    )


def _filled(name: str, found: dict) -> str:
    figures = found["figures"]
    papers = [(n, one) for n, one in figures.items() if n not in NEW]
    every = [(n, claim) for n, figure in papers for claim in figure["claims"].values()]
    if name == "counts":
        counts = Counter(claim["verdict"] for _, claim in every)
        said = ", ".join(f"{verdict}: {counts[verdict]}" for verdict in VERDICTS if counts[verdict])
        return f"{len(every)} statements of the paper were judged. {said.capitalize()}."
    if name == "table new":
        rows = []
        for n in (n for n in NEW if n in figures):
            by = {verdict: [] for verdict in VERDICTS}
            for claim in figures[n]["claims"].values():
                by[claim["verdict"]].append(claim["claim"])
            held = [*by[HOLDS], *(f"{one} (in part)" for one in by[IN_PART])]
            left = len(figures[n]["claims"]) - len(held) - len(by[FAILS])
            rows.append(f"| {n} | {'; '.join(held)} | {'; '.join(by[FAILS])} | {left} |")
        return "\n".join(["| study | holds | fails | open |", "|---|---|---|---:|", *rows])
    if name.startswith("table "):
        verdict = name.removeprefix("table ")
        assert verdict in (HOLDS, IN_PART, FAILS)
        cells = [
            f"| {n} | {claim['claim']} | {claim['measured'].replace('|', chr(92) + '|')} |"
            for n, claim in every
            if claim["verdict"] == verdict
        ]
        return "\n".join(["| figure | claim | measured |", "|---|---|---|", *cells])
    if name == "names open":
        decided = (HOLDS, IN_PART, FAILS)
        left = [f"{claim['claim']} ({n})" for n, claim in every if claim["verdict"] not in decided]
        return "; ".join(left) or "nothing"
    if name == "headlines":
        said = [(n, figures[n]["headline"]) for n in NEW if n in figures]
        titles = {n: FIGURES[n].title[0].upper() + FIGURES[n].title[1:] for n, _ in said}
        titles = {n: title if title[-1] == "?" else f"{title}." for n, title in titles.items()}
        return "\n".join(f"- **{titles[n]}** {words}" for n, words in said if words)
    if name == "first":
        return "; ".join(figures["protocol"]["headline"].split("; ")[:2]) + "."
    if name == "second":
        other = found.get("second")
        if not other:
            return ""
        return f"Beside a second report ({other['seeds']}): {other['words']}"
    if name == "reduced":
        less = [n for n, figure in figures.items() if figure["warning"]]
        return f"- Of reduced runs, with fewer seeds: {', '.join(less)}." if less else ""
    if name == "made":
        made = found["made"]
        return f"*Report of {made['date']}, minilotto {made['minilotto']}, on {made['machine']}.*"
    place, _, form = name.partition(":")
    figure, claim, *number = place.split("/")
    row = figures[figure]["claims"][claim]
    return format(row["numbers"][number[0]], form) if number else row["measured"]


def readme(text: str, found: dict) -> str:
    """README.md with this finding and these rows of studies; others keep theirs."""
    start, rest = text.split("tests its claims: **", 1)
    opening = re.sub(r"\[\[([^]]*)\]\]", lambda match: _filled(match[1], found), OPENING)
    text = f"{start}tests its claims: **{' '.join(opening.split())}**{rest.split('**', 1)[1]}"
    first, *lines = text.split("\n\n", 2)
    text = "\n\n".join([first, _wrapped(lines[0]), *lines[1:]])
    head = "| study | result |\n|---|---|\n"
    start, rest = text.split(head, 1)
    table, rest = rest.split("\n\n", 1)
    rows = {line.split("`")[1]: line for line in table.splitlines()}
    said = {n: found["figures"][n]["headline"] for n in NEW if n in found["figures"]}
    for name, words in said.items():
        rows[name] = f"| `{name}` | {words.replace('|', chr(92) + '|')} |"
    return start + head + "\n".join(rows[name] for name in NEW if name in rows) + "\n\n" + rest


def main(folder: str | None = None, other: str | None = None, *more: str) -> int:
    """Exit status: 2 for a folder without a whole report, from which nothing is taken."""
    content = PLACE / "findings.json"
    if more:
        print(f"{more[0]!r} is not understood; name one folder or two", file=sys.stderr)
        return 2
    if folder is not None:
        try:
            report = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))
            found, before = taken(report), json.loads(content.read_text(encoding="utf-8"))
            known = {**before["figures"], **found["figures"]}
            found["figures"] = {name: known[name] for name in FIGURES if name in known}
            found["second"] = second(folder, other) if other else before.get("second")
            text = json.dumps(found, indent=1, ensure_ascii=False)
            page(found)
            drawn = [figure["name"] for figure in report["figures"] if figure["name"] in PICTURES]
            pictures = {n: thumbnail(Path(folder) / f"figure-{n}.png", ACROSS) for n in drawn}
        except (OSError, ValueError, KeyError, TypeError, MinilottoError) as error:
            print(f"{folder!r} has no whole report ({error}); make one first", file=sys.stderr)
            return 2
        content.write_text(text + "\n", encoding="utf-8")
        for name, picture in pictures.items():
            (PLACE / f"findings-{name}.png").write_bytes(picture)
    found = json.loads(content.read_text(encoding="utf-8"))
    (PLACE / "findings.md").write_text(page(found), encoding="utf-8")
    place = PLACE.parent / "README.md"
    place.write_text(readme(place.read_text(encoding="utf-8"), found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
