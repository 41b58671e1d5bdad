"""Write docs/findings.md, and the finding at the top of README.md, from a report.

`python docs/findings.py report/` takes the verdicts and numbers of the report in that folder into
docs/findings.json, its pictures into docs/findings-*.png, and writes docs/findings.md and the first
finding of README.md from them. A report of some figures takes their places, and leaves the others
as they were. A second folder is a report of another root seed, whose verdicts are compared. Without
a folder it writes all again from docs/findings.json.

In TEXT, [[figure/claim/number:format]] is a number of that claim, [[figure/claim]] what was
measured, [[headline study]] a study's answer, [[verdicts study]] those on its hypotheses, and a
line [[table VERDICT]] a table of the paper's claims that got this verdict.
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
DECIDED = (HOLDS, IN_PART, FAILS)
NEW = [study.name for study in BEYOND]

# The second paragraph of README.md.
OPENING = """**The paper's observations are reproduced: between widths 10 and 50 the loss falls with
exponent [[1c/silu/exponent:.2f]] (95% interval [[1c/silu/low:.2f]] to [[1c/silu/high:.2f]]).
[[first]]** [What was found](docs/findings.md)."""

TEXT = """# Findings

What a repetition of "A Neural Scaling Law from Lottery Ticket Ensembling" (Liu and Tegmark,
[arXiv:2310.02258](https://arxiv.org/abs/2310.02258)) found. Every number and verdict is taken from
a report by `python docs/findings.py report/`; the report has each claim's rule, intervals and
picture ([how to make it](reproducing.md)). Brackets and bars are 95% intervals.

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
[[2c/mirror/asymmetry of w:.0e]] of w in the median. One net of width 40 is as good as two of width
20 by the paper's null, the loss (1/L₁ + 1/L₂)⁻¹ (ratio of medians [[4/40/ratio:.2f]]).

![SiLU's loss falls as 1/N in the paper's range and rises beyond it](findings-1c.png)

*Figure 1c. Left: median loss on x² against width, on the 100 training points and on all of [-2, 2].
Right: the exponent between each width and the next. Grey: the paper's widths.*

[[table holds]]

Two statements need a remark.

- **Independent tickets.** The paper counts them visually, as 1, 2 and 3 at widths 10, 30 and 50.
  The nearest rule in numbers, eigenvalues above 1% of the largest, with the output weights that
  pairs have in their net, gives [[12/independent/output numerical 10:.0f]],
  [[12/independent/output numerical 30:.0f]] and [[12/independent/output numerical 50:.0f]]; a
  participation ratio with the best output weights gives
  [[12/independent/span participation 10:.1f]], [[12/independent/span participation 30:.1f]] and
  [[12/independent/span participation 50:.1f]].
- **Eq. 11.** The first layer of the paper's best distilled net, printed to two digits, has with
  exact output weights a loss of [[13/equation 11/in 80 digits:.3g]]; the paper says 1.6e-19.

What holds of some things and fails of others:

[[table holds in part]]

## What was not

[[table fails]]

Four statements need their context.

- **One power law.** The exponent over widths 10 to 50 is near 1, but the curve bends: within that
  range the exponent changes by [[1c/curvature/bend:.2f]] ([[1c/curvature/low:.2f]] to
  [[1c/curvature/high:.2f]]), and past width 70 the loss rises.
- **Orthogonal errors.** Eq. 7 to 9 take the errors of tickets as orthogonal. Footnote 3 withdraws
  that: tickets are highly correlated, and n counts the independent ones. So the cosine of
  [[4/orthogonal/cosine:.2f]] between the errors of two nets contradicts the average of Eq. 9, not
  the paper as a whole.
- **Averaging.** The plain average of two nets of width 20 leaves [[4/average/gain:.1%]] of the loss
  of one. Their best combination whose weights sum to one has [[4/40/best weights:.2f]] times the
  loss of one net of width 40. That is Eq. 5 and 6, which need no orthogonality: they are supported,
  the average of Eq. 9 is not.
- **The bias.** Where the loss levels off, the paper suspects an error common to all tickets. At
  most targets much of the loss is indeed common to all seeds, in the central half of the nets by
  loss and in all nets. But the fraction is as large where the loss still falls as 1/N (x²: up to
  [[7/variance/largest share for x²:.0%]] of it), so what falls there is not a variance between
  seeds.

![One net of width N against two of width N/2, combined in several ways](findings-4.png)

*Figure 4. Above: losses of nets of width N, and the paper's null of two nets of N/2. Below: median
loss of two halves over that of one net, for the null and for nets that are put together; arrows:
beyond the axis.*

Not decided, or not testable here: [[names open]].

## What is new

Each study has its answer, and the verdicts on its hypotheses.

### [[title protocol]]

[[headline protocol]]

![The exponent by rate, schedule and steps; starts; each width's best rate](findings-protocol.png)

*Above: exponent of median loss against steps, by rate and schedule. Below left: exponent and loss
of each initialisation at its best rates. Middle: loss at each width's best rate. Right: loss at
width 25 against the sum of the rates of all steps.*

[[verdicts protocol]]

### [[title optimizer]]

[[headline optimizer]]

![Loss against width by optimiser; that of Levenberg-Marquardt still falls](findings-optimizer.png)

*Above: median loss at each width's best rate. Below: exponents by optimiser, and against steps in
the colours above; loss after 100, 300 and 1,000 iterations of Levenberg-Marquardt (lm).*

Random-feature regression has its exponent from the optimiser
([arXiv:2605.29387](https://arxiv.org/abs/2605.29387)). Here the first-order optimisers, with the
rate tuned at each width, differ in loss by up to a factor of [[optimizer/prefactor/gd:.0f]] on x²,
and their exponents too uncertainly for a verdict. Nearly all of Adam's loss on x² is an error of
optimisation, as [arXiv:2210.13447](https://arxiv.org/abs/2210.13447) finds of small smooth
networks. Levenberg-Marquardt is not at its end either: from 300 to 1,000 iterations its loss falls
to [[optimizer/end/N = 10:.1%]] at width 10 and to [[optimizer/end/N = 200:.1%]] at width 200. So
none of these laws is that of the architecture. On max(x, 0) no first-order optimiser shows a law
between widths 10 and 50, and that of Levenberg-Marquardt is overfitting: on the whole interval its
networks lose [[optimizer/points''/N = 10:.0f]] times as much as on the points at width 10, and
[[optimizer/points''/N = 50:.0f]] times at width 50.

[[verdicts optimizer]]

### [[title minimum]]

[[headline minimum]]

![Tickets lie in a valley, along which the loss falls without end](findings-minimum.png)

*Above: eigenvalues of the Hessian at trained nets; losses before and after polishing by
Levenberg-Marquardt. Below: least loss of a mirror pair of given |w|, with trained tickets; median
|w| of tickets against steps, dotted the paper's 50,000.*

The valley is the paper's own remark, for one neuron, on why optimisation does not reach zero loss:
w goes to 0 and v to infinity at constant w² v. New is that tickets lie in it, how the loss falls
along it, and that the number of steps decides how far they get.

[[verdicts minimum]]

### [[title ensembling]]

[[headline ensembling]]

![What seeds have in common, and where the gain from N/2 to N is from](findings-ensembling.png)

*By activation: the loss divided into bias and variance over seeds; loss of the mean of R nets over
that of one; the gain from width N/2 to N and its parts, in decades. Below: cosines of errors;
independent mirror pairs in a net, and how many Eq. 9 would need.*

[[verdicts ensembling]]

### [[title inside]]

[[headline inside]]

![Tickets of one net, kept at random and combined in four ways](findings-inside.png)

*Above: loss of K tickets of a trained net by way of combining them. Below: exponents against K by
width and control (mark: Eq. 9; grey: 1/K); sums of the absolute best weights; independent tickets
among K.*

No way of combining tickets gives 1/K. Averaged they gain little, as their errors are alike. Weights
of at least 0 follow Eq. 9, which falls faster than 1/K since tickets differ in quality. Weights of
any sign, the Gram form that footnote 3 asks for, fall far faster still, by cancelling.

[[verdicts inside]]

### [[title data]]

[[headline data]]

[[verdicts data]]

### [[title dimension]]

[[headline dimension]]

[[verdicts dimension]]

### [[title depth]]

[[headline depth]]

![Loss against the number of layers; errors of layers and of seeds](findings-depth.png)

*Above: median loss against the number L of hidden layers. Below: exponents by width, target and
control; median cosines of the errors of two layers of a net, and of two seeds; loss of residual
nets over what their layers would lose as an average, and without one layer over that with all.*

[arXiv:2602.05970](https://arxiv.org/abs/2602.05970) reports the loss of language models as 1/L,
probably because similar layers average their errors. In these nets, of one smooth target, layers do
the opposite: their errors have the cosines of terms that must cancel, and none can go.

[[verdicts depth]]

### [[title classification]]

[[headline classification]]

[[verdicts classification]]

### [[title pruning]]

[[headline pruning]]

[[verdicts pruning]]

### [[title noise]]

[[headline noise]]

![The variance over gradient noise does not fall as 1/N at fixed starts](findings-noise.png)

*Above: variance over gradient noise at fixed starts against width, by batch. Below: its exponent;
the variance against the batch; its part of the loss; loss of the mean over infinitely many noises,
relative to full batch.*

Interacting-particle theory has the errors of wide nets, those of SGD among them, scale universally
as 1/N ([arXiv:1805.00915](https://arxiv.org/abs/1805.00915)), with a central limit for many neurons
and steps together ([arXiv:1808.09372](https://arxiv.org/abs/1808.09372)), at rates that fall with
the width. Here the rate stays, and the variance over batches behaves as where the points of a batch
move all neurons together. Nor does what batches cost Adam average out: the mean over infinitely
many noises has [[noise/mean''/batch 10:.0f]] times the loss of full batch at batches of 10 points
and a falling rate, where gradient descent has [[noise/mean'/batch 10:.2f]] times.

[[verdicts noise]]

### [[title subtasks]]

[[headline subtasks]]

![Shares of the neurons stay; losses of subtasks do not fall as 1/neurons](findings-subtasks.png)

*Above: shares of the neurons against width, from the heaviest subtask (no. 1) to the lightest.
Below: loss of a subtask against its neurons; exponents by weight; mean fraction of a neuron's
squared weights on one input.*

The resource model ([arXiv:2402.05164](https://arxiv.org/abs/2402.05164)) has subtasks keep constant
shares of the neurons, with a loss in inverse proportion to them. In sums of x² of weights from 100
to 1 the first is nearly so, once each subtask can have a pair of neurons: exponents of shares
against the width are [[subtasks/constant/least:.2f]] to [[subtasks/constant/most:.2f]], some too
uncertain for a verdict. The second is not: no subtask's exponent agrees with 1 for certain, and of
eight subtasks losses level off or rise from some five neurons on, at this number of steps. Nor do
shares minimise the loss: the heaviest of eight subtasks has [[subtasks/heavier/8 weighted:.1f]]
times the neurons of the lightest, where 10 times would.

[[verdicts subtasks]]

### [[title time]]

[[headline time]]

![Variance over seeds by width and step; loss curves divided by their ends](findings-time.png)

*Above: variance over seeds against width at output scales s of 64, 1 and 1/64; its exponent against
the step. Middle: variance and bias at the end; loss over time. Below: loss curves divided by their
ends, at the best horizons; spread between widths over that of seeds, where a collapse lies below
1.*

Random features approach their infinite width as 1/N early and as another power late
([arXiv:2402.01092](https://arxiv.org/abs/2402.01092)); in the mean-field scaling variances over
starts are 1/N at any fixed time ([arXiv:2304.03408](https://arxiv.org/abs/2304.03408)). Early both
are right: after 10 steps of gradient descent the exponent of the variance is
[[time/early/gradient descent, output scale 64:.2f]] at output scale 64 and as near to 1 at the
others, if perhaps a little above it at scale 1, where it is
[[time/early/gradient descent, output scale 1:.2f]] over widths from 32 on. After 20,000 steps it is
still [[time/late/gradient descent, output scale 64:.2f]] at scale 64, where features hardly change,
and [[time/late/gradient descent, output scale 1:.2f]] at scale 1. Scales below 1 have steeper
exponents, which are no law of their own: the widest nets have the variance of those of scale 1, and
narrow ones lie far above it. Nor is it the richest training that varies least between seeds, but
that of scale 1. At the end the loss of wide nets is bias, which all share; so it is 1/N at no scale
for certain. From torch's initialisation, which has no limit of infinite width at one rate, the
exponent of the variance is [[time/early_torch/Adam, torch's start:.2f]] after 100 steps and
[[time/late/Adam, torch's start:.2f]] at the end.

Feature learning is said to leave the exponent in time of easy tasks and to double at most that of
hard ones ([arXiv:2409.17858](https://arxiv.org/abs/2409.17858)). On x², from 1,000 to 20,000 steps
at width 512, it is [[time/clock/lazy:.2f]] at scale 64 and higher by
[[time/clock/output scale 1:.2f]] at scale 1: neither an easy task for features that do not move,
nor a doubling.

Loss curves of large models collapse on one within the spread over seeds, above all where rates fall
to 0 ([arXiv:2507.02119](https://arxiv.org/abs/2507.02119)). Here only those of the laziest nets do:
at a constant rate and the best horizons, widths lie
[[time/constant/gradient descent, output scale 1:.1f]] times as far apart as seeds at scale 1. Most
of that is narrow nets: from width 32 on it is
[[time/constant/gradient descent, output scale 1, from width 32 on:.2f]] times, but more than once
with another root seed. Where the rate of gradient descent falls to 0 it is
[[time/decayed/gradient descent, output scale 1, linear decay:.2f]] times, at three widths, which is
too near to 1 for a verdict.

[[verdicts time]]

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
  frozen at a version; `--root_seed 1 --compare report/` applies them to trainings that nobody has
  looked at, and states which verdicts change. [[second]]
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
- The paper does not print its protocol in full
  ([what is inferred](reproducing.md#the-protocol)).
- Widths 10 to 50 span 0.7 decades. An exponent over them describes these widths and the paper's
  protocol, and so does the verdict on 1/N.
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
    blocks, section = [], set[str]()
    for block in TEXT.strip().split("\n\n"):
        if block[0] == "#":
            section = set(re.findall(r"\[\[title (\w+)\]\]", block))
        about = re.findall(r"(?:\[\[|findings-|^\*Figure )(\w+)(?:/|\.png|\.)", block)
        if section.union(about) <= found["figures"].keys():
            text = re.sub(r"\[\[([^]]*)\]\]", lambda match: _filled(match[1], found), block)
            blocks += [text if text[0] in "|!#" else _wrapped(text)] if text else []
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
    if name.startswith("verdicts "):
        claims = figures[name.removeprefix("verdicts ")]["claims"].values()
        by = {
            verdict: [c["claim"] for c in claims if c["verdict"] == verdict] for verdict in VERDICTS
        }
        said = [f"- {v.capitalize()}: {'; '.join(by[v])}." for v in DECIDED if by[v]]
        left = len(claims) - sum(len(by[verdict]) for verdict in DECIDED)
        return "\n".join([*said, f"- Open: {left}."])
    if name.startswith("table "):
        verdict = name.removeprefix("table ")
        assert verdict in DECIDED
        cells = [
            f"| {n} | {claim['claim']} | {claim['measured'].replace('|', chr(92) + '|')} |"
            for n, claim in every
            if claim["verdict"] == verdict
        ]
        return "\n".join(["| figure | claim | measured |", "|---|---|---|", *cells])
    if name == "names open":
        left = [f"{claim['claim']} ({n})" for n, claim in every if claim["verdict"] not in DECIDED]
        return "; ".join(left) or "nothing"
    if name.startswith("title "):
        title = FIGURES[name.removeprefix("title ")].title
        return title[0].upper() + title[1:]
    if name.startswith("headline "):
        return figures[name.removeprefix("headline ")]["headline"]
    if name == "first":
        what, over = figures["protocol"]["headline"].split("; ")[:2]
        runs = sorted(re.findall(r"(-?[\d.]+) \(", over), key=float)
        return f"{what}; over those tried it runs from {runs[0]} to {runs[-1]}."
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
    """README.md with this finding at its top."""
    title, what, _, rest = text.split("\n\n", 3)
    opening = re.sub(r"\[\[([^]]*)\]\]", lambda match: _filled(match[1], found), OPENING)
    return "\n\n".join([title, what, _wrapped(opening), rest])


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
