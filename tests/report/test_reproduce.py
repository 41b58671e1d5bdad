"""The paper's figures, their verdicts, and the report: from small trainings and from losses made up
for the purpose.
"""

import csv
import dataclasses
import html
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from html.parser import HTMLParser
from multiprocessing import active_children

import numpy as np
import pytest
from figures import Made, by_claim

import minilotto as ml
from minilotto import files
from minilotto.cli.commands import main
from minilotto.report import build
from minilotto.report.build import REPORT_FILES, _each, figure_names, needed, reproduce
from minilotto.report.catalogue import APPENDICES, FIGURES, MAIN_TEXT
from minilotto.report.claims import Verdict
from minilotto.report.figure import Scale, Source, Table
from minilotto.report.page import Report, Section, from_json, to_html, to_json, to_markdown
from minilotto.report.paper.histograms import LossHistograms
from minilotto.report.paper.scaling_law import ScalingLaw
from minilotto.report.paper.two_neurons import LossHistogram
from minilotto.report.paper.wide_net import digitised
from minilotto.report.rules import FAILS, HOLDS, UNDECIDED, UNTESTED
from minilotto.sweeps.run import sweep

SMALL = Scale(seeds=40, wide_seeds=12, giants=2, giant_width=300, widest=70, steps=300)
NAN = float("nan")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A report of all figures from few seeds and steps, and its folder."""
    folder = tmp_path_factory.mktemp("reproduced") / "report"
    return reproduce(folder, scale=SMALL), folder


# The whole
def test_every_figure_is_drawn_captioned_and_tabulated(small):
    report, folder = small
    assert [section.name for section in report.sections] == [kind.name for kind in MAIN_TEXT]
    for section in report.sections:
        assert section.picture is not None, section.notes
        assert section.verdicts
        assert not section.notes
        assert {f"figure-{section.name}{suffix}" for suffix in (".png", ".pdf", ".svg")} <= set(
            section.files
        )
        for name in section.files:
            assert (folder / name).stat().st_size > 40, name
        assert "300 Adam steps" in section.caption
        assert "Reduced run" in section.caption
    assert "Reduced run" in report.warning


def test_tables_are_rectangular_and_hold_numbers(small):
    _, folder = small
    tables = sorted(folder.glob("*.csv"))
    assert len(tables) >= len(MAIN_TEXT)
    for path in tables:
        header, *rows = csv.reader(io.StringIO(path.read_text()))
        assert rows, path
        assert all(len(row) == len(header) for row in rows)
        assert "nan" not in path.read_text()


@pytest.mark.slow
def test_a_second_run_in_one_process_trains_nothing_and_makes_the_same_files(small, tmp_path):
    report, folder = small
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs" / "blocks").rglob("*.npz")}
    again = reproduce(tmp_path / "again", ["2b", "3"], scale=SMALL, runs=folder / "runs", threads=1)
    assert {
        path: path.stat().st_mtime_ns for path in (folder / "runs" / "blocks").rglob("*.npz")
    } == before
    assert again.verdicts == [
        verdict
        for section in report.sections
        if section.name in ("2b", "3")
        for verdict in section.verdicts
    ]
    for name in (name for section in again.sections for name in section.files):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name


@pytest.mark.slow
def test_what_is_missing_is_named_and_the_rest_is_drawn(small, tmp_path):
    _, folder = small
    wider = dataclasses.replace(SMALL, widest=100)
    report = reproduce(
        tmp_path / "report", ["1c", "2b"], scale=wider, runs=folder / "runs", train=False
    )
    law, histogram = report.sections
    assert law.picture is not None
    assert any("width=100" in note for note in law.notes)
    assert not histogram.notes


@pytest.mark.slow
def test_too_few_seeds_make_a_note_not_a_crash(tmp_path):
    report = reproduce(
        tmp_path / "report",
        ["2b", "3"],
        scale=Scale(seeds=5, wide_seeds=2, giants=1, giant_width=100, widest=50, steps=20),
    )
    one, many = report.sections
    assert one.picture is None
    assert "too few" in one.notes[-1]
    assert many.picture is not None
    assert {verdict.verdict for verdict in many.verdicts} == {UNTESTED}


# The page
on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="reports are drawn by several processes on Linux only"
)


def killed(_):
    """As the kernel does where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


@on_linux
def test_a_killed_process_is_told_in_one_line():
    with pytest.raises(ml.ResourceError, match="was killed") as error:
        _each(killed, [1, 2], 2)
    assert "\n" not in str(error.value)
    assert not active_children()


@on_linux
def test_ctrl_c_at_one_process_ends_them_all():
    began = time.monotonic()
    timer = threading.Timer(
        0.5, os.kill, (os.getpid(), signal.SIGINT)
    )  # this process alone, not its group
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        _each(time.sleep, [1000, 1000, 1000], 2)
    timer.join()
    assert time.monotonic() - began < 20
    assert not active_children()


class Checked(HTMLParser):
    """Counts open elements, and collects addresses of what a page loads."""

    def __init__(self):
        super().__init__()
        self.open, self.loaded = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)
        self.loaded += [
            value for name, value in attrs if name == "src" or (tag == "link" and name == "href")
        ]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(small):
    _, folder = small
    text = (folder / "index.html").read_text(encoding="utf-8")
    parser = Checked()
    parser.feed(text)
    assert parser.open == []
    # Each figure, the first one above all, and those with a headline in few pixels beside it.
    short = sum(
        bool(figure["headline"])
        for figure in json.loads((folder / "report.json").read_text(encoding="utf-8"))["figures"]
    )
    assert len(parser.loaded) == len(MAIN_TEXT) + 1 + short
    assert all(address.startswith("data:image/") for address in parser.loaded)
    for word in ("nan", "None", "inf "):
        assert f" {word}" not in text


def test_all_three_forms_print_the_same_claims_as_they_stand_in_the_register(small):
    report, folder = small
    page, markdown = ((folder / name).read_text(encoding="utf-8") for name in REPORT_FILES[:2])
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    claims = [claim for figure in content["figures"] for claim in figure["claims"]]
    for claim, verdict in zip(claims, report.verdicts, strict=True):
        assert claim == json.loads(json.dumps(dataclasses.asdict(verdict)))
        assert f"| {verdict.claim} |" in markdown
        assert f"**{verdict.verdict}**" in markdown
        for text in (verdict.claim, verdict.where, verdict.says, verdict.how, verdict.fails):
            assert text
            assert html.escape(text) in page
            assert text.replace("|", "\\|") in markdown


def test_a_page_shows_what_could_not_be_drawn_and_escapes_what_it_is_told():
    numbers = {"x": NAN, "y": float("inf"), "z": 1.0}
    verdict = Verdict("a < b", "says <b>", "1 | 2", "how", UNTESTED, "no `data`", numbers)
    section = Section("9", "Nine", "", "cmd", None, (), [verdict], ["not drawn"])
    report = Report("T & T", ("in",), "", [section], ["remark"], {"k": 1})
    page = to_html(report)
    for text in (
        "T &amp; T",
        "a &lt; b",
        "says &lt;b&gt;",
        "<code>data</code>",
        "not drawn",
        "remark",
    ):
        assert text in page
    assert "<img" not in page
    assert "fails if" not in page  # what is empty is not printed
    assert "1 \\| 2" in to_markdown(report)
    assert "| claim | the paper | measured | tested by | verdict |" in to_markdown(report)
    (claim,) = json.loads(to_json(report))["figures"][0]["claims"]
    assert claim["numbers"] == {"x": None, "y": None, "z": 1.0}
    assert "verdicts" not in json.loads(to_json(report))["figures"][0]


def test_many_notes_are_cut_on_the_page_and_whole_in_the_file():
    notes = [f"no nets of width {width}" for width in range(6)]
    report = Report("T", (), "", [Section("9", "Nine", "", "cmd", None, (), (), notes)], ())
    for page in (to_html(report), to_markdown(report)):
        assert page.count("no nets of width") == 4
        assert "2 more such notes" in page
    assert json.loads(to_json(report))["figures"][0]["notes"] == notes


def test_a_report_is_read_again_as_it_was_written(small):
    report, folder = small
    text = (folder / "report.json").read_text(encoding="utf-8")
    found = from_json(text)
    again = dataclasses.replace(report, sections=found)
    assert to_json(again) == text
    deep = "[" * 100_000
    for other in (
        "",
        deep,
        "[]",
        "{}",
        '{"figures": [{}]}',
        text.replace('"claim"', '"claims of"'),
    ):
        with pytest.raises(ValueError, match=r"no sections|Expecting"):
            from_json(other)


def test_a_later_run_keeps_what_an_earlier_one_drew(small, tmp_path):
    _, folder = small
    place, given = tmp_path / "report", {"runs": folder / "runs", "train": False, "threads": 1}
    reproduce(place, ["2b"], scale=SMALL, **given)
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    fragment = place / f".figure-2c.png.{files._host()}-{killed.pid}-0123456789ab"
    fragment.write_bytes(b"half of it")
    other = dataclasses.replace(SMALL, seeds=39)
    report = reproduce(place, ["2c"], scale=other, **given)
    assert not fragment.exists()
    earlier, later = report.sections
    assert (earlier.name, later.name) == ("2b", "2c")
    assert earlier.picture is not None
    assert "40 seeds" in earlier.warning
    assert "39 seeds" in later.warning
    page = (place / "index.html").read_text(encoding="utf-8")
    assert earlier.warning in page
    assert later.warning in page
    again, kept = reproduce(place, ["2b"], scale=SMALL, **given).sections
    assert (again.picture, again.verdicts) == (earlier.picture, earlier.verdicts)
    assert (kept.picture, kept.verdicts) == (later.picture, later.verdicts)


# Several processes in one folder
FEW = Scale(seeds=40, wide_seeds=2, giants=1, giant_width=10, widest=50, steps=20)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fcntl")
def test_reports_at_once_in_one_folder_keep_each_others_figures(tmp_path, monkeypatch):
    import fcntl

    def made(figure):
        reproduce(tmp_path / "report", [figure], scale=FEW, runs=tmp_path / "runs", threads=1)

    def whole():
        made("2c")
        reached.set()

    def lock(handle, kind):
        if threading.current_thread() is other:
            reached.set()
        flock(handle, kind)

    def read(folder):
        sections = earlier(folder)
        if threading.current_thread() is not other:
            other.start()  # between the look at what is there and what is written
            assert reached.wait(60)
        return sections

    other, reached = threading.Thread(target=whole), threading.Event()
    earlier, flock = build._earlier, fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lock)
    monkeypatch.setattr(build, "_earlier", read)
    made("2b")
    other.join()
    found = from_json((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert [section.name for section in found] == ["2b", "2c"]


def test_a_folder_that_another_process_removes_during_the_training_is_made_again(
    tmp_path, monkeypatch
):
    place = tmp_path / "report"

    def failed_beside(*arguments, **named):
        place.rmdir()  # as where the process that made it failed
        return sweep(*arguments, **named)

    monkeypatch.setattr(build, "sweep", failed_beside)
    reproduce(place, ["2b"], scale=FEW, runs=tmp_path / "runs", threads=1)
    assert (place / "index.html").is_file()


def test_a_folder_in_which_another_process_begins_meanwhile_is_ours(tmp_path, monkeypatch):
    place, real = tmp_path / "report", build.entries

    def listed(folder):
        reproduce(place, ["2b"], scale=FEW, runs=tmp_path / "runs", threads=1, force=True)
        return [entry for entry in real(folder) if entry.name not in REPORT_FILES]

    monkeypatch.setattr(build, "entries", listed)
    assert build.report_folder(place, False) == place


def test_a_verdict_is_one_of_four():
    with pytest.raises(ml.ConfigError, match="'perhaps' is unknown"):
        Verdict("a", "b", "c", "d", "perhaps", "e")


def test_a_table_keeps_every_digit_and_leaves_nan_empty():
    text = Table("t", {"a": [1, 2], "b": [np.float64(0.1), NAN]}).to_csv()
    assert text == "a,b\n1,0.1\n2,\n"


# Verdicts from losses that are known
def scaling_verdicts(constructed, silu, leaky, widest=1000):
    random = np.random.default_rng(0)

    def nets_of(config):
        median = (silu if config.activation == "silu" else leaky)(config.width)
        return dataclasses.replace(
            constructed(median * 10 ** random.normal(0, 0.2, 4000)), config=config
        )

    figure = ScalingLaw(Source(Made(nets_of)), dataclasses.replace(SMALL, widest=widest))
    return by_claim(figure)


def population(monkeypatch, factor):
    """The population loss of made-up nets is a multiple of their loss."""
    monkeypatch.setattr(ml.Ensemble, "population_loss", property(lambda nets: factor * nets.loss))


def test_points_that_do_not_suffice_are_judged(constructed, monkeypatch):
    for factor, verdict in ((1.9, HOLDS), (0.6, HOLDS), (2.1, FAILS), (0.4, FAILS)):
        population(monkeypatch, factor)
        found = scaling_verdicts(constructed, lambda n: 1e-4 / n, lambda n: n**-4.0)
        assert found["100 points are enough"].verdict == verdict
    population(monkeypatch, 1.0)  # wider nets may need more points
    found = scaling_verdicts(constructed, lambda n: 1e-4 / n, lambda n: n**-4.0, widest=200)
    assert found["100 points are enough"].verdict == UNDECIDED


def test_planted_exponents_are_judged(constructed, monkeypatch):
    population(monkeypatch, 1.0)
    broken = scaling_verdicts(
        constructed, lambda n: 1e-4 / n, lambda n: n**-4.0 if n <= 20 else 20.0**-3 / n
    )
    assert {claim: verdict.verdict for claim, verdict in broken.items()} == {
        "SiLU: the loss falls as 1/N": HOLDS,
        "SiLU: one power law, not a plateau or a break": HOLDS,
        "SiLU: the law goes on past width 50": HOLDS,
        "LeakyReLU: first 1/N⁴": HOLDS,
        "LeakyReLU: then 1/N": HOLDS,
        "100 points are enough": HOLDS,
    }
    other = scaling_verdicts(
        constructed, lambda n: 1e-4 / n**2 if n <= 50 else 8e-10 * n, lambda n: n**-2.0
    )
    assert other["SiLU: the loss falls as 1/N"].verdict == FAILS
    assert "rises with width" in other["SiLU: the law goes on past width 50"].reason
    assert other["LeakyReLU: first 1/N⁴"].verdict == FAILS
    assert other["LeakyReLU: then 1/N"].verdict == FAILS
    broken = scaling_verdicts(
        constructed, lambda n: 1e-4 / n**0.85 if n <= 22 else 22**0.3 * 1e-4 / n**1.15, lambda n: n
    )
    assert broken["SiLU: one power law, not a plateau or a break"].verdict == FAILS
    near = scaling_verdicts(constructed, lambda n: 1e-4 / n**1.25, lambda n: n**-4.0)
    assert near["SiLU: the loss falls as 1/N"].verdict == UNDECIDED


def test_planted_peaks_are_counted(constructed):
    random = np.random.default_rng(1)
    places = (8e-6, 1e-4, 1e-3, 5e-3, 1.0)
    losses = np.concatenate([place * 10 ** random.normal(0, 0.03, 200) for place in places])
    found = LossHistogram(Source(Made(lambda config: constructed(losses))), SMALL).verdicts()
    assert [verdict.verdict for verdict in found] == [HOLDS, HOLDS, HOLDS]
    assert found[1].numbers["peaks below 1e-2"] == 4
    assert found[2].numbers["share"] == pytest.approx(0.2, abs=1e-12)
    one_peak = 1e-5 * 10 ** random.normal(0, 0.03, 600)
    one = LossHistogram(Source(Made(lambda config: constructed(one_peak))), SMALL).verdicts()
    assert [verdict.verdict for verdict in one] == [FAILS, FAILS, FAILS]


def test_a_central_limit_is_recognised_and_its_absence_too(constructed):
    random = np.random.default_rng(2)

    def averages(config):
        if config.width <= 4:
            return constructed(
                10 ** np.concatenate([random.normal(-5, 0.1, 300), random.normal(-2, 0.1, 300)])
            )
        return constructed(10 ** random.normal(-6, 1 / np.sqrt(config.width), 600))

    claims = [
        verdict.verdict for verdict in LossHistograms(Source(Made(averages)), SMALL).verdicts()
    ]
    assert claims == [HOLDS, HOLDS, HOLDS, HOLDS]
    always = LossHistograms(
        Source(
            Made(
                lambda config: constructed(
                    10 ** np.append(random.normal(-6, 0.2, 500), random.exponential(1.5, 100))
                )
            )
        ),
        SMALL,
    ).verdicts()
    assert [verdict.verdict for verdict in always[1:]] == [FAILS, FAILS, FAILS]


def test_the_digitised_curve_is_there():
    abs_w, right, left = digitised()
    assert abs_w.shape == right.shape == left.shape == (11,)
    assert (np.diff(abs_w) > 0).all()
    assert (np.diff(right) < 0).all()


# The commands
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["reproduce", "--figures", "9z"], "figure '9z' is unknown; choose from 1c"),
        (["reproduce", "--seeds", "0"], "seeds=0 is out of range"),
        (["reproduce", "--figurs", "1c"], "--figurs"),
        (["figure"], "figure needs a name"),
        (["figure", "1c", "--out", "x.gif"], "ends in '.gif'"),
        (["figure", "17"], "figure '17' is unknown"),
    ],
)
def test_wrong_words_are_refused_in_one_line(words, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("x")
    assert main(["reproduce", "--out", str(tmp_path)]) == 2
    assert "holds other things" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "words", ["--runs file", "--runs file/runs", "--train false", "--train false --runs none"]
)
def test_a_store_that_cannot_be_used_leaves_no_folder(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["reproduce", "--figures", "2b", "--out", "new/report", *words.split()]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_commands_tell_verdicts_and_draw(small, capsys, tmp_path):
    _, folder = small
    assert (
        main(
            [
                "reproduce",
                "--out",
                str(tmp_path / "r"),
                "--figures",
                "3",
                "--runs",
                str(folder / "runs"),
                "--train=false",
                "--quiet",
            ]
        )
        == 0
    )
    told = capsys.readouterr().out
    assert "report in" in told
    assert "figure 3" in told


def test_names_come_in_the_papers_order():
    assert figure_names(["3", "1c"]) == ["1c", "3"]
    main, appended = ([kind.name for kind in kinds] for kinds in (MAIN_TEXT, APPENDICES))
    assert figure_names(None) == main
    assert figure_names(None, appendices=True) == main + appended
    assert figure_names(None, appendices=True, beyond=True) == list(FIGURES)
    assert figure_names(["3"], appendices=True) == ["3", *appended]
    assert {config.activation for sweep in needed(["1c"], SMALL) for config in sweep.configs} == {
        "silu",
        "leaky_relu",
    }
