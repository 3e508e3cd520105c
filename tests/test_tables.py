"""Tables in every form, down to the character: people paste them, programs read them."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamcli.tables import Table, align, render

ROWS = (("a_b", (0.5, None, 123.4)), ("c & d", (float("nan"), 0.1234567, 9.9996)))
TABLE = Table("Set (partial)", ("AUC", "P@20px", "frames/s"), ROWS, ("share in %",))
TEXT = """\
Set (partial)
         AUC  P@20px  frames/s
------------------------------
a_b    0.500       -     123.4
c & d      -   0.123    10.000

  share in %
"""
MARKDOWN = """\
**Set (partial)**

|  | AUC | P@20px | frames/s |
|---|---:|---:|---:|
| a_b | 0.500 | - | 123.4 |
| c & d | - | 0.123 | 10.000 |

- share in %
"""
LATEX = r"""% Set (partial)
% share in %
\begin{tabular}{lrrr}
\toprule
 & AUC & P@20px & frames/s \\
\midrule
a\_b & 0.500 & - & 123.4 \\
c \& d & - & 0.123 & 10.000 \\
\bottomrule
\end{tabular}
"""


@pytest.mark.parametrize(("form", "expected"), [("text", TEXT), ("markdown", MARKDOWN), ("latex", LATEX)])
def test_forms_for_people(form: str, expected: str) -> None:
    assert render([TABLE], form) == expected
    assert render([TABLE, TABLE], form) == f"{expected}\n{expected}"


def test_latex_takes_any_name_of_a_folder() -> None:
    text = render([Table("t", ("a",), (("x$y{z}", (1.0,)),), ())], "latex")
    assert r"x\$y\{z\} & 1.000" in text


def test_forms_for_programs_keep_every_digit() -> None:
    (document,) = json.loads(render([TABLE], "json"))
    assert document["rows"][0] == {"tracker": "a_b", "AUC": 0.5, "P@20px": None, "frames/s": 123.4}
    assert (document["title"], document["notes"]) == ("Set (partial)", ["share in %"])
    head, first, second = csv.reader(io.StringIO(render([TABLE], "csv")))
    assert head == ["benchmark", "name", "AUC", "P@20px", "frames/s"]
    assert first == ["Set (partial)", "a_b", "0.5", "", "123.4"]
    assert second == ["Set (partial)", "c & d", "nan", "0.1234567", "9.9996"]


WORDS = st.text("ab c", min_size=1, max_size=9).map(str.strip).filter(bool)


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(WORDS, min_size=n, max_size=n), min_size=1)))
def test_columns_begin_and_end_below_each_other(rows: list[list[str]]) -> None:
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
    starts = [sum(sizes[:i]) + 2 * i for i in range(len(sizes))]
    for left in (1, len(sizes)):
        for row, line in zip(rows, align(rows, left), strict=True):
            cells = [line[start : start + size] for start, size in zip(starts, sizes, strict=True)]
            assert [cell.strip() for cell in cells] == row
            assert all(cell[0] != " " for cell in cells[:left])
            assert all(cell[-1] != " " for cell in cells[left:])
