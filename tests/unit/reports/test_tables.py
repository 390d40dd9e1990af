"""One table, three ways to show it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
from rich.console import Console

from conformance.model.outcome import DefectRef
from conformance.model.records import Header
from conformance.model.verdicts import VERDICTS
from conformance.reports.matrix import matrix
from conformance.reports.merge import merge
from conformance.reports.relations import Relations
from conformance.reports.render import html, markdown, rich_table
from conformance.reports.summary import summary_text
from conformance.reports.table import Cell, Counts, Links, Table
from conformance.reports.terminal import print_matrix, print_run
from conformance.reports.text import prose
from conformance.results.store import Writer, read_run
from tests.support.outcomes import HOSTILE, outcome, run, saying

TABLE = Table(
    ["theme", Cell("lib 1.0", "backends/lib.html")],
    [
        [Cell("first", "cases.html#t-first", "2 cases"), Counts({"fail": 1, "pass": 1200})],
        ["second", Links([("c", "cases/c.html")], more=True)],
    ],
    "a title",
    ["all", 1201],
    numbers=frozenset({1}),
)


def printed(table: Table, width: int = 100) -> str:
    console = Console(width=width, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(rich_table(table))
    return captured.get()


def test_the_three_ways_say_the_same() -> None:
    assert markdown(TABLE) == [
        "| theme | lib 1.0 |",
        "|---|---|",
        "| first<br>2 cases | 1200 pass<br>**1 fail** |",
        "| second | c, … |",
        "| **all** | 1201 |",
    ]
    page = html(TABLE, "../")
    assert '<th scope="col" class="r"><a href="../backends/lib.html">lib 1.0</a>' in page
    assert '<th scope="row"><a href="../cases.html#t-first">first</a><small>2 cases</small>' in page
    assert '<span class="n v-pass"><i>1,200</i> pass</span><span class="n v-fail"><i>1</i> fail</span>' in page
    assert '<a href="../cases/c.html">c</a>, …' in page and "<tfoot>" in page
    words = printed(TABLE).split()
    assert [
        word for word in ("first", "2", "cases", "1200", "pass", "1", "fail", "c,", "…", "1201") if word not in words
    ] == []


def test_hostile_text_stays_text_in_all_of_them() -> None:
    table = Table(
        [HOSTILE, "x"], [[Cell(HOSTILE, HOSTILE, HOSTILE, name=HOSTILE, data={"x": HOSTILE}), HOSTILE]], HOSTILE
    )
    assert "\x1b" not in printed(table) and "\u202e" not in printed(table)
    page = html(table)
    assert "<script" not in page and "<img" not in page and "\x1b" not in page and "\u2028" not in page
    for line in markdown(table):
        assert line.count("|") - line.count("\\|") == 3 and "\x1b" not in line and "<script>" not in line


def test_a_matrix_that_does_not_fit_has_a_row_for_each_backend(tmp_path: Path) -> None:
    rows = [outcome("c", f"backend-{n}", theme=theme) for n in range(6) for theme in ("one", "two")]
    counted = matrix(Relations([read_run(run(tmp_path / "r", rows))]))
    shown = {}
    for width in (80, 160):
        console = Console(width=width)
        with console.capture() as captured:
            print_matrix(counted, console)
        shown[width] = captured.get()
    assert "one" in shown[160].split() and "backend-5" in shown[160]
    narrow = [line for line in shown[80].splitlines() if "backend-" in line]
    assert len(narrow) == 6 and all("2" in line.split() for line in narrow) and max(map(len, narrow)) <= 80
    assert "too narrow" in shown[80]


@pytest.mark.parametrize(("verdicts", "lines"), [(("pass", "known", "fail", "unsupported"), 19), (VERDICTS, 19 * 11)])
def test_no_name_of_many_backends_is_broken_at_80_columns(
    verdicts: Collection[str], lines: int, tmp_path: Path
) -> None:
    names = [f"tensorflow:xla-{n}" for n in range(19)]
    rows = [outcome(f"c-{verdict}", name, verdict=verdict) for name in names for verdict in verdicts]
    console = Console(width=80)
    with console.capture() as captured:
        print_matrix(matrix(Relations([read_run(run(tmp_path / "r", rows))])), console)
    shown = captured.get()
    assert all(f"{name} " in shown for name in names) and max(map(len, shown.splitlines())) <= 80
    assert len([line for line in shown.splitlines() if any(n in line for n in "0123456789")]) == lines


def test_words_of_code_in_a_sentence_are_code_and_nothing_else_is_markup() -> None:
    assert str(prose("``a<b`` and `where`, <i>")) == "<code>a&lt;b</code> and <code>where</code>, &lt;i&gt;"
    assert str(prose("a lone ` stays")) == "a lone ` stays"


def test_a_summary_describes_the_machine_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with Writer(folder, Header(suite="0", started="", environment={"cores": {"usable": 2, "all": 4}})) as writer:
        writer.write([outcome("c")])
    relations = Relations([read_run(folder)])
    assert "cores: 2 usable, 4 all." in summary_text(relations, matrix(relations))


def test_a_message_of_several_lines_is_printed_as_lines(tmp_path: Path, capsys) -> None:
    folder = run(tmp_path / "r", [outcome("c", verdict="error", **saying("first line\n  second \x1b[31mline"))])
    print_run(merge([folder]), folder)
    out = capsys.readouterr().out
    assert "    first line\n      second \\x1b" in out and "\\n" not in out
    assert not any(line and not line.strip() for line in out.splitlines())


def test_the_findings_that_are_not_printed_are_counted_by_verdict(tmp_path: Path, capsys) -> None:
    found = [outcome(f"c{n}", verdict=verdict) for n, verdict in enumerate(["known", "fail", "pass", "known", "fail"])]
    folder = run(tmp_path / "r", found)
    print_run(merge([folder]), folder, details=1)
    assert "… and 3 more findings in the summary: 1 fail, 2 known\n" in capsys.readouterr().out
    print_run(merge([folder]), folder, details=3)
    assert "… and 1 more finding in the summary: 1 known\n" in capsys.readouterr().out
    print_run(merge([folder]), folder, details=4)
    assert " more finding" not in capsys.readouterr().out


def test_where_no_class_was_reached_none_is_named(tmp_path: Path, capsys) -> None:
    due = outcome(
        "c",
        verdict="fail",
        check="error",
        reason="no-error",
        class_=None,
        ulp=None,
        observed="[1]",
        expected="an error",
    )
    folder = run(tmp_path / "r", [due])
    print_run(merge([folder]), folder)
    out = capsys.readouterr().out
    assert "    observed [1]\n" in out and ", class" not in out


def test_policies_and_worked_examples_come_first_and_checks_that_are_alike_once(tmp_path: Path, capsys) -> None:
    found = [
        *(outcome("a", verdict="fail", reduction=each) for each in ("none", "sum", "mean")),
        outcome("z", verdict="fail", theme="worked-examples"),
        *(
            outcome(case, verdict="fail", check="policy", policy="p", observed=["x"], expected="y")
            for case in ("b", "c")
        ),
        outcome("d", verdict="crash"),
    ]
    folder = run(tmp_path / "r", found)
    print_run(merge([folder]), folder, details=4)
    shown = capsys.readouterr().out
    lines = [line.split(" · ")[1] for line in shown.splitlines() if line.startswith(("FAIL", "CRASH"))]
    assert lines == ["d", "b", "z", "a"]
    assert shown.count("if that is meant, declare it") == 1
    assert "1 more check like it\n" in shown and "2 more checks like it\n" in shown and "more finding" not in shown


def test_a_known_defect_is_one_finding_in_whatever_case_and_check_it_shows(tmp_path: Path, capsys) -> None:
    known = {"verdict": "known", "defect": DefectRef("one-cause", "not reported")}
    found = [outcome(f"c{n}", check=check, **known) for n in range(30) for check in ("value", "shift")]
    found += [outcome("d", verdict="known", defect=DefectRef("another", "not reported")), outcome("e", "two", **known)]
    folder = run(tmp_path / "r", found)
    print_run(merge([folder]), folder, details=4)
    shown = capsys.readouterr().out
    lines = [line.split(" · ")[:2] for line in shown.splitlines() if line.startswith("KNOWN")]
    assert lines == [["KNOWN one", "c0"], ["KNOWN one", "d"], ["KNOWN two", "e"]]
    assert "59 more checks like it\n" in shown and "more finding" not in shown
