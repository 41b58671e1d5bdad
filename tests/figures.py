"""What holds for every figure and study of the report."""

import csv
import io
import re

import minilotto as ml
from minilotto.report.plots.style import style
from minilotto.report.study import Study

NAN = re.compile(r"\bnan\b", re.IGNORECASE)


class Made:
    """Stands for a store: nets by config from a function, of some widths and targets where these
    are given; DataError where it gives None.
    """

    def __init__(self, nets_of, widths=None, tasks=None):
        self.nets_of, self.widths, self.tasks = nets_of, widths, tasks

    def ensemble(self, config, seeds=None):
        wanted = self.widths is None or config.width in self.widths
        wanted = wanted and (self.tasks is None or config.task in self.tasks)
        nets = self.nets_of(config) if wanted else None
        if nets is None:
            raise ml.DataError(f"no nets of {config.task}, width={config.width}")
        return nets


def by_claim(figure):
    return {verdict.claim: verdict for verdict in figure.verdicts()}


def is_whole(figure):
    """Draws it; its texts, verdicts and tables hold no NaN, and no table is empty or ragged."""
    with style():
        figure.draw().canvas.draw()
    design = figure.design() if isinstance(figure, Study) else ""
    for text in (figure.caption(), figure.headline(), design, *map(repr, figure.verdicts())):
        assert not NAN.search(text), text
    for table in figure.tables():
        text = table.to_csv()
        header, *rows = csv.reader(io.StringIO(text))
        assert rows, table.name
        assert len(set(header)) == len(header)
        assert {len(row) for row in rows} == {len(header)}
        assert not NAN.search(text), text
    return True
