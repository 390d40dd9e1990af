"""A folder in which everything that a verb reads was written by an enemy: names, files, backends, results."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from conformance.cases.load import load_suite
from conformance.model.backend import BackendId, BackendRecord, Declaration, SourceRecord
from conformance.model.outcome import DefectRef
from conformance.vectors.export import export_vectors
from tests.support import benchmarks
from tests.support.outcomes import outcome, run

#: Moves the cursor, colours, hides, ends lines in every way, and begins them with what a CI runner takes as a command.
EVIL = "evil \x1b[31m\x1b[2J\r\n::error::1\n  ##[error]2\x85::error::3\u2028::error::4\x08\x7f\u202e\x9b31m"
#: What a file's name cannot hold: a slash, and nothing else.
NAME = "evil\x1b[31m\n::error::name"

CASES = f"""\
theme: small
cases:
  - id: plain
    why: {json.dumps(EVIL)}
    flags: [double-softmax]
    op: cross_entropy
    logits: [[1.2, 2.4, 3.6]]
    targets: [1]
    dtypes: [float32]
  - id: rows
    why: {json.dumps(EVIL)}
    op: softmax
    logits: [[0.5, 0.5], [2.0, -1.0]]
    dtypes: [float32]
  - id: warned
    why: {json.dumps(EVIL)}
    op: log_softmax
    logits: [[0.5, 0.5], [2.0, -1.0]]
    dtypes: [float32]
"""
BROKEN = f"""\
theme: {json.dumps(EVIL)}
cases:
  - id: {json.dumps(EVIL)}
    why: w
    {json.dumps(EVIL)}: 1
    op: {json.dumps(EVIL)}
    dtypes: [{json.dumps(EVIL)}]
    logits: {json.dumps(EVIL)}
    expect: {{error: {json.dumps(EVIL)}}}
"""
KERNEL = f"""\
import os, sys, warnings
from conformance.backends.adapters.numpy import Numpy

EVIL = {EVIL!r} + "\\udc80"

class Evil(Numpy):
    def softmax(self, logits, *, axis):
        print(EVIL.encode("utf-8", "replace"))
        raise ValueError(EVIL)

    def log_softmax(self, logits, *, axis):
        warnings.warn(EVIL)
        return super().log_softmax(logits, axis=axis) * 2

    def cross_entropy(self, *arguments, **options):
        raise KeyError(EVIL)

    def nll_loss(self, *arguments, **options):
        os.write(2, EVIL.encode("utf-8", "replace"))
        os._exit(3)
"""
BOASTING = f"""\
from conformance.backends.adapters.numpy import Numpy

class Evil(Numpy):
    def versions(self):
        return {{{EVIL!r}: {EVIL!r}}}
"""
DYING = f"raise RuntimeError({EVIL!r} + chr(0xDC80))\n"
WORKLOADS = f"workloads:\n  - {{id: two, why: {json.dumps(EVIL)}, shape: [2, 3], contracts: [forward]}}\n"
BROKEN_WORKLOADS = f"workloads:\n  - {{id: two, why: w, shape: [2, 3], {json.dumps(EVIL)}: {json.dumps(EVIL)}}}\n"
PROFILE = f"""\
backend: evil
title: {json.dumps(EVIL)}
{json.dumps(EVIL)}: {json.dumps(EVIL)}
policies:
  {json.dumps(EVIL)}: {{value: {json.dumps(EVIL)}, documentation: {json.dumps(EVIL)}}}
"""


@dataclass(frozen=True)
class Hostile:
    """Where everything lies."""

    cases: Path
    broken: Path
    kernel: Path
    boasting: Path
    dying: Path
    workloads: Path
    broken_workloads: Path
    profiles: Path
    run: Path
    other_run: Path
    times: Path
    damaged: Path
    vectors: Path
    nowhere: Path


def hostile(folder: Path) -> Hostile:
    """All of it, in ``folder``."""

    def file(name: str, text: str) -> Path:
        path = folder / name / f"{name} {NAME}.{'py' if text in (KERNEL, BOASTING, DYING) else 'yaml'}"
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        return path

    damaged = _run(folder / "damaged" / NAME)
    with (damaged / "outcomes.jsonl").open("ab") as stream:
        stream.write(b'{"record": "outcome", "case": "\\u001b[31m\\n::error::x", "verdict": "\\u001b[31m"}\n')
    cases = file("cases", CASES).parent
    export_vectors(load_suite((cases,)).entries, folder / "vectors" / NAME)
    return Hostile(
        cases=cases,
        broken=file("broken", BROKEN).parent,
        kernel=file("kernel", KERNEL),
        boasting=file("boasting", BOASTING),
        dying=file("dying", DYING),
        workloads=file("workloads", WORKLOADS),
        broken_workloads=file("broken-workloads", BROKEN_WORKLOADS),
        profiles=file("profiles", PROFILE).parent,
        run=_run(folder / "run" / NAME),
        other_run=_run(folder / "other" / NAME, verdict="pass", started="2026-01-02"),
        times=benchmarks.write(
            folder / "times" / NAME,
            backends={EVIL: (EVIL, EVIL, 1.0, 0.01, 7.5, 1.0), "numpy": ("numpy", "eager", 5.2, 0.002, 0.011, 3.0)},
            workloads={EVIL: (4, 8)},
            rounds=2,
            machine=EVIL,
        ),
        damaged=damaged,
        vectors=folder / "vectors" / NAME,
        nowhere=folder / NAME / "nowhere",
    )


def _run(folder: Path, verdict: str = "fail", started: str = EVIL) -> Path:
    """A run of which every text is hostile."""
    declared = {"reach": Declaration(value=EVIL, documentation=EVIL, note=EVIL)}
    evil = BackendRecord(
        name=EVIL,
        id=BackendId(name=EVIL, framework=EVIL, version=EVIL, device=EVIL, execution=EVIL),
        profile=EVIL,
        versions={EVIL: EVIL},
        settings={EVIL: EVIL},
        policies=declared,
        sources={"cross_entropy": SourceRecord(file=EVIL, line=1, text=EVIL)},
    )
    said = {"reason": "recorded", "detail": EVIL, "observed": EVIL, "expected": EVIL}
    policy = {"check": "policy", "class_": None, "ulp": None, "ratio": None}
    rows = [
        outcome(EVIL, EVIL, theme=EVIL, verdict=verdict, reduction=EVIL, worst_input={EVIL: [EVIL]}, **said),
        outcome("plain", EVIL, verdict=verdict, **said),
        outcome("known", EVIL, verdict="known", defect=DefectRef(EVIL, EVIL), **said),
        outcome("excused", EVIL, verdict="deviation", excused_by=(EVIL,), **said),
        outcome("crashed", EVIL, verdict="crash", **said),
        outcome("policy", EVIL, policy="reach", observed=[EVIL], expected=EVIL, verdict="fail", **policy),
    ]
    broken = BackendRecord(name=f"{EVIL} broken", error=EVIL)
    return run(folder, rows, backends=[evil, broken], started=started, cpu=EVIL)


def raw(text: str) -> list[str]:
    """The lines that must not be printed: with characters that steer a terminal or hide, or commands of CI runners.

    A word joiner is ours: it breaks such a command.
    """
    lines = text.replace("\u2060", "").split("\n")
    return [each for each in lines if not each.isprintable()] + re.findall(r"^\s*(?:::|##\[).*", text, re.MULTILINE)
