"""What holds for every figure and study of the report."""

import csv
import io
import re

from minilotto.report.plots.style import style
from minilotto.report.study import Study

NAN = re.compile(r"\bnan\b", re.IGNORECASE)


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
