"""Every verb, whatever was written by others: it steers no terminal, is taken for no command, and ends in words.

The verbs come from the command line itself: a new one fails until it has a recipe here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli import Run, verbs, write
from tests.support.hostile_folder import EVIL, NAME, Hostile, hostile, raw

#: Words of a command line, and the code that it ends with.
Words = tuple[int, tuple[object, ...]]
Recipe = Callable[[Hostile, Path], list[Words]]


#: Small cases at which the hostile kernel raises, and ends its process, which takes a search one for each try.
RAISES = f"""\
theme: found
cases:
  - id: raises
    why: {json.dumps(EVIL)}
    op: softmax
    logits: [[1.0, 2.0]]
    dtypes: [float32]
"""
ENDS = f"""\
  - id: ends
    why: {json.dumps(EVIL)}
    op: nll_loss
    log_probabilities: [[-1.0, -0.5]]
    targets: [0]
    dtypes: [float32]
"""


def of_run(at: Hostile, out: Path) -> list[Words]:
    some = ("--cases", at.cases, "--no-identities")
    return [
        (1, ("-b", at.kernel, *some, "--output", out / "one")),
        (1, ("-b", at.kernel, *some, "--output", out / "two", "--format", "json")),
        (3, ("-b", at.dying, *some, "--output", out / "three", "-q")),
        (3, ("-b", at.dying, *some, "--output", out / "four", "--format", "json")),
        (3, ("-b", at.boasting, *some, "--output", out / "five")),
        (2, ("-b", "numpy", "--cases", at.broken)),
        (2, ("-b", EVIL, *some)),
        (2, ("-b", "numpy", *some, "-k", EVIL)),
        (2, ("-b", "numpy", *some, "--dtype", EVIL)),
        (2, ("--resume", at.nowhere)),
        (2, ("--resume", at.damaged)),
    ]


def few(corpus: Path, text: str) -> tuple[object, ...]:
    """The options of a search that begins with these cases and asks one more."""
    return ("--cases", 1, "--seed", 3, "--corpus", write(corpus / f"found {NAME}.yaml", text).parent)


def of_fuzz(at: Hostile, out: Path) -> list[Words]:
    both, one = few(out / "both", RAISES + ENDS), few(out / "one", RAISES)
    return [
        (1, ("-b", at.kernel, *both, "--output", out / "found")),
        (1, ("-b", at.kernel, *one, "--output", out / "again", "--format", "json")),
        (3, ("-b", at.dying, *one, "--output", out / "none")),
        (2, ("-b", EVIL, *one)),
    ]


def of_fuzz_in_json(at: Hostile, out: Path) -> list[Words]:
    both = few(out / "both", RAISES + ENDS)
    return [(1, ("-b", at.kernel, *both, "--output", out / "found", "--format", "json"))]


def of_bench(at: Hostile, out: Path) -> list[Words]:
    quick = ("--replicates", 1, "--budget", 0.002, "--output", out / "bench", "--no-report")
    return [
        (3, ("-b", at.kernel, "--workloads", at.workloads, *quick)),
        (3, ("-b", at.dying, "--workloads", at.workloads, *quick, "--format", "json")),
        (2, ("-b", "numpy", "--workloads", at.broken_workloads, *quick)),
        (2, ("-b", "numpy", "--workloads", at.nowhere, *quick)),
        (2, ("-b", "numpy", "-k", EVIL, *quick)),
    ]


def of_explain(at: Hostile, out: Path) -> list[Words]:
    return [
        (1, ("plain", "--cases", at.cases, "-b", at.kernel, "-b", at.dying)),
        (1, ("rows", "--cases", at.cases, "-b", at.kernel, "--format", "json")),
        (3, ("warned", "--cases", at.cases, "-b", at.dying, "--format", "json")),
        (2, (EVIL, "--cases", at.cases)),
        (2, ("plain", "--cases", at.broken)),
    ]


def of_report(at: Hostile, out: Path) -> list[Words]:
    every = [part for name in ("junit", "badge", "csv", "parquet", "summary") for part in (f"--{name}", out / name)]
    return [
        (0, (at.run, "--output", out / "report", "--cases", at.cases, *every)),
        (0, (at.run, at.other_run, "--output", out / "both", "--cases", at.cases)),
        (0, (at.times, "--output", out / "times", "--cases", at.cases)),
        (2, (at.damaged, "--output", out / "damaged")),
        (2, (at.nowhere, "--output", out / "nowhere")),
    ]


def of_diff(at: Hostile, out: Path) -> list[Words]:
    return [
        *[(0, (at.run, at.other_run, "--format", style)) for style in ("text", "json", "markdown")],
        *[(1, (at.other_run, at.run, "--format", style)) for style in ("text", "json", "markdown")],
        *[(0, (at.times, at.times, "--format", style)) for style in ("text", "json", "markdown")],
        (2, (at.damaged, at.run)),
        (2, (at.nowhere, at.run)),
    ]


def of_repro(at: Hostile, out: Path) -> list[Words]:
    some = ("--cases", at.cases)
    return [
        (0, ("rows", "-b", at.kernel, *some)),
        (0, ("warned", "-b", at.kernel, *some, "--issue")),
        (0, ("plain", "-b", at.kernel, *some, "--output", out / "repro")),
        (2, ("plain", "-b", EVIL, *some, "--run", at.run)),
        (2, ("plain", "-b", "other", *some, "--run", at.run)),
        (2, ("plain", "-b", at.dying, *some)),
        (2, (EVIL, "-b", "numpy", *some)),
        (2, ("plain", "-b", "numpy", *some, "--reduction", EVIL)),
    ]


def of_list(at: Hostile, out: Path) -> list[Words]:
    topics = ("cases", "flags", "themes")
    return [
        *[(0, (topic, "--cases", at.cases, "--format", style)) for topic in topics for style in ("table", "json")],
        *[(0, ("policies", "--observed", at.run, "--format", style)) for style in ("table", "json")],
        (2, ("cases", "--cases", at.broken)),
        (2, ("policies", "--observed", at.damaged)),
        (2, (EVIL,)),
    ]


def of_lint(at: Hostile, out: Path) -> list[Words]:
    return [
        (0, (at.cases,)),
        *[(2, (at.broken, "--format", style)) for style in ("table", "json")],
        *[(2, ("--profiles", at.profiles, "--format", style)) for style in ("table", "json")],
        *[(2, (at.broken_workloads, "--format", style)) for style in ("table", "json")],
        (2, (at.nowhere,)),
    ]


def of_smoke(at: Hostile, out: Path) -> list[Words]:
    return [
        *[(1, ("-b", at.kernel, "--format", style)) for style in ("table", "json")],
        (3, ("-b", at.dying, "--format", "table")),
        (3, ("-b", at.boasting, "--format", "json")),
        (2, ("-b", EVIL)),
    ]


def of_judge(at: Hostile, out: Path) -> list[Words]:
    vectors, evil = at.vectors, json.dumps(EVIL)
    lines = {
        "refused": f'{{"id": "rows/float32/none", "error": {evil}}}',
        "unknown": f'{{"id": {evil}, "value": 1}}',
        "field": f'{{"id": "rows/float32/none", {evil}: 1}}',
        "number": f'{{"id": "rows/float32/none", "value": [{evil}]}}',
    }
    files = {name: write(out / f"{name} {NAME}", text) for name, text in lines.items()}
    some = ("--vectors", vectors, "--cases", at.cases)
    return [
        (1, (files["refused"], *some, "--name", EVIL, "--output", out / "one")),
        (1, (files["refused"], *some, "--name", EVIL, "--output", out / "two", "--format", "json")),
        *[(2, (files[name], *some, "--output", out / "no")) for name in ("unknown", "field", "number")],
        (2, (files["refused"], *some, "--profile", EVIL, "--output", out / "no")),
        (2, (files["refused"], *some, "--profile", at.profiles, "--output", out / "no")),
        (2, (files["refused"], "--vectors", at.damaged, "--output", out / "no")),
        (2, (at.nowhere, *some, "--output", out / "no")),
    ]


RECIPES: dict[tuple[str, ...], Recipe] = {
    ("run",): of_run,
    ("fuzz",): of_fuzz,
    ("bench",): of_bench,
    ("explain",): of_explain,
    ("report",): of_report,
    ("diff",): of_diff,
    ("export", "vectors"): lambda at, out: [
        (0, ("--cases", at.cases, "--output", out / "vectors")),
        (2, ("--cases", at.broken, "--output", out / "vectors")),
        (2, ("--cases", at.cases, "-k", EVIL, "--output", out / "vectors")),
    ],
    ("judge",): of_judge,
    ("import",): lambda at, out: [
        (2, (EVIL, "--output", out / "none")),
        (2, ("onnx", "--op", EVIL, "--output", out / "none")),
        (2, ("onnx", "--output", at.kernel)),
    ],
    ("repro",): of_repro,
    ("dossier",): lambda at, out: [
        (0, (at.run, "--output", out / "dossier", "--cases", at.cases)),
        (2, (at.damaged, "--output", out / "dossier")),
    ],
    ("history", "add"): lambda at, out: [
        (0, (at.run, at.times, "--db", out / "history.duckdb")),
        (2, (at.damaged, "--db", out / "history.duckdb")),
    ],
    ("history", "show"): lambda at, out: [(2, ("--db", at.nowhere)), (2, ("--db", at.kernel))],
    ("list",): of_list,
    ("lint",): of_lint,
    ("fill",): lambda at, out: [(0, ("--check", at.cases)), (2, (at.broken,)), (2, (at.nowhere,))],
    ("smoke",): of_smoke,
    ("worker",): lambda at, out: [
        (2, ("--scheduler", EVIL, "-b", "numpy")),
        (2, ("--scheduler", "tcp://127.0.0.1:1", "-b", EVIL)),
    ],
}


def test_every_verb_has_a_recipe() -> None:
    assert {*verbs()} == {*RECIPES}


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    return hostile(tmp_path_factory.mktemp("hostile"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "recipe"),
    [
        *(pytest.param(verb, recipe, id=" ".join(verb)) for verb, recipe in RECIPES.items()),
        pytest.param(("fuzz",), of_fuzz_in_json, id="fuzz in json", marks=pytest.mark.nightly),
    ],
)
def test_text_of_others_steers_nothing(
    verb: tuple[str, ...], recipe: Recipe, at: Hostile, conformance: Run, tmp_path: Path
) -> None:
    wrong = []
    for code, words in recipe(at, tmp_path):
        ran = conformance(*verb, *words)
        problems = [f"{name}: {each!r}" for name in ("out", "err") for each in raw(getattr(ran, name))]
        if ran.code != code:
            problems.append(f"exit code {ran.code} instead of {code}")
        if "Traceback" in ran.err or "internal error" in ran.err:
            problems.append("no words of ours")
        if "json" in words and code < 2:
            _ = ran.json
        if problems:
            wrong.append(
                "\n".join([" ".join(map(str, (*verb, *words))), *problems[:6], ran.out[-300:], ran.err[-600:]])
            )
    assert not wrong, "\n\n".join(wrong).encode("unicode_escape").decode().replace("\\n", "\n")


def test_nothing_is_shown_of_a_history_that_steers(at: Hostile, conformance: Run, tmp_path: Path) -> None:
    database = tmp_path / "h.duckdb"
    assert conformance("history", "add", at.run, at.times, "--db", database).code == 0
    for style in ("table", "json"):
        ran = conformance("history", "show", "--db", database, "--format", style)
        assert ran.code == 0 and raw(ran.out + ran.err) == []
        if style == "json":
            assert ran.json["times"]
