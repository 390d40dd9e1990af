"""Every verb and every file that it reads, in every state that a file can be in: words, the file's name, and a hint.

The verbs come from the command line itself: a new one fails until its files are listed here.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from conformance.cases.load import load_suite
from conformance.corpus.random_cases import recipe_of
from conformance.places import ROOT
from conformance.reports.benchmarks.comparison.band import DeadBand
from conformance.reports.history.add import add_runs
from conformance.reports.history.database import History
from conformance.vectors.export import export_vectors
from tests.support import benchmarks
from tests.support.cli import CASES, GOOD, MINE, verbs, write
from tests.support.outcomes import outcome, run
from tests.support.unprivileged import UNPRIVILEGED

HUGE = 3 << 30  # bytes, of which next to none are on the disk
MOST_MEMORY = 900  # MiB of a verb, those that were imported before it began included
WORKLOADS = "workloads:\n  - {id: two, why: small, shape: [2, 3], contracts: [forward]}\n"
RESULTS = '{"id": "rows/float32/none", "value": [0.5, 0.5, 0.95257413, 0.04742587]}\n'
PROFILE = "backend: mine\nextends: numpy\n"

_QUICK = "--replicates 1 --budget 0.002 --no-report -q --output out/bench"
_TLS = "--scheduler tls://127.0.0.1:1 --tls-ca-file @ --tls-cert @ --tls-key @"
_FUZZ = "--cases 2 --seed 1 -q --output out/fuzz"
_RUN = "--jobs 1 --no-identities -q --replace --output out/run"
#: The words with which each kind of file is read; ``@`` stands for its path, ``/`` for the folder that it is in.
READ: dict[str, tuple[str, ...]] = {
    "small.yaml": (
        f"run -b numpy --cases @ {_RUN}", "explain plain --cases @", "report old --cases @ --output out/report",
        "repro plain -b numpy --cases @", "dossier old --cases @ --output out/dossier", "list cases --cases @",
        "lint @", "lint /", "fill @", "export vectors --cases @ -q --output out/exported",
        f"fuzz -b numpy --corpus / {_FUZZ}",
        "judge r.jsonl --vectors vectors --cases @ --replace --output out/judged",
    ),
    "notes.yaml": ("list cases --cases /small.yaml", "lint /small.yaml"),
    "outcomes.jsonl": (
        "run --resume / --cases small.yaml -q", f"run -b numpy --cases small.yaml --shard 1/2 --costs / {_RUN}",
        "report / --output out/report", "report @ --output out/report", "diff / old", "diff old /",
        "repro plain -b numpy --cases small.yaml --run /", "dossier / --output out/dossier",
        "history add / --db out/new.duckdb", "list policies --observed /",
    ),
    "benchmarks.json": (
        "report / --output out/report", "diff / times", "diff times @", "history add / --db out/new.duckdb",
    ),
    "benchmarks.json.gz": ("report / --output out/report", "diff times /", "history add / --db out/n.duckdb"),
    "history.duckdb": ("history add old --db @", "history show --db @"),
    "band.json": ("diff times times --band @",),
    "w.yaml": (f"bench -b numpy --workloads @ {_QUICK}", "lint /benchmarks"),
    "mine.py": (
        f"run -b @ --cases small.yaml {_RUN}", "smoke -b @", "explain plain --cases small.yaml -b @",
        "repro plain --cases small.yaml -b @", f"fuzz -b @ {_FUZZ}",
    ),
    "mine.profile.yaml": (f"run -b /mine.py --cases small.yaml {_RUN}", "smoke -b /mine.py", "lint --profiles /"),
    "corpus.jsonl": (f"fuzz -b numpy --corpus / {_FUZZ}",),
    "r.jsonl": ("judge @ --vectors vectors --cases small.yaml --replace --output out/judged",),
    "index.json": (
        "judge r.jsonl --vectors / --cases small.yaml --replace --output out/judged",
        "judge r.jsonl --vectors @ --cases small.yaml --replace --output out/judged",
    ),
    "ca.pem": (
        f"worker -b numpy {_TLS}", f"run -b numpy --cases small.yaml {_TLS} {_RUN}",
    ),
}  # fmt: skip


def valid(folder: Path) -> dict[str, bytes]:
    """What each kind of file holds where nothing is wrong with it; also what the verbs read beside it."""
    write(folder / "small.yaml", CASES)
    write(folder / "w.yaml", WORKLOADS)
    run(folder / "old", [outcome("plain"), outcome("rows", verdict="fail")])
    benchmarks.write(folder / "times", workloads={"w": (4, 8)}, rounds=2)
    with History(folder / "history.duckdb", writing=True) as history:
        add_runs(history, [folder / "old"])
    write(folder / "r.jsonl", RESULTS)
    export_vectors(load_suite([folder / "small.yaml"]).entries, folder / "vectors")
    times = (folder / "times" / "benchmarks.json").read_bytes()
    return {
        "small.yaml": CASES.encode(),
        "notes.yaml": b"flags:\n  some-flag: {title: t, text: what it is}\n",
        "outcomes.jsonl": (folder / "old" / "outcomes.jsonl").read_bytes(),
        "benchmarks.json": times,
        "benchmarks.json.gz": gzip.compress(times),
        "history.duckdb": (folder / "history.duckdb").read_bytes(),
        "band.json": msgspec.json.encode(DeadBand(width=0.1, how="h")),
        "w.yaml": WORKLOADS.encode(),
        "mine.py": MINE.format(result=GOOD).encode(),
        "mine.profile.yaml": PROFILE.encode(),
        "corpus.jsonl": msgspec.json.encode(recipe_of(2, 0)) + b"\n",
        "r.jsonl": RESULTS.encode(),
        "index.json": (folder / "vectors" / "index.json").read_bytes(),
        "ca.pem": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    }


def _huge(path: Path, whole: bytes) -> None:
    path.write_bytes(whole)
    os.truncate(path, HUGE)


def _unreadable(path: Path, whole: bytes) -> None:
    path.write_bytes(whole)
    path.chmod(0)


def _closed(path: Path, whole: bytes) -> None:
    """In a folder that may not be entered."""
    path.write_bytes(whole)
    path.parent.chmod(0)


def _random(path: Path, whole: bytes) -> None:
    path.write_bytes(random.Random(0).randbytes(4096))


def _flipped(path: Path, whole: bytes) -> None:
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0x80]) + whole[middle + 1 :])


DAMAGE: dict[str, Callable[[Path, bytes], None]] = {
    "empty": lambda path, whole: path.write_bytes(b"") and None,
    "cut": lambda path, whole: path.write_bytes(whole[: len(whole) // 2]) and None,
    "flipped": _flipped,
    "random": _random,
    "zeros": lambda path, whole: path.write_bytes(bytes(4096)) and None,
    "folder": lambda path, whole: path.mkdir(),
    "pipe": lambda path, whole: os.mkfifo(path),
    "nowhere": lambda path, whole: path.symlink_to("missing"),
    "circle": lambda path, whole: path.symlink_to(path.name),
    "device": lambda path, whole: path.symlink_to("/dev/zero"),
    "unreadable": _unreadable,
    "closed": _closed,
    "huge": _huge,
}


class Ended(NamedTuple):
    code: int
    said: str
    left_behind: bool
    memory: int


def test_every_verb_reads_its_files() -> None:
    words = [line.split() for lines in READ.values() for line in lines]  # import reads an installed package alone
    assert {*verbs()} - {("import",)} == {
        tuple(each[:2]) if each[0] in ("export", "history") else (each[0],) for each in words
    }


#: Damages of each kind of file at least; all words that read it take turns.
TRIED = 4
#: What was found by trying all words with all damages.
FOUND = {("history.duckdb", "pipe"): 0, ("history.duckdb", "flipped"): 0, ("small.yaml", "unreadable"): 6,
         ("outcomes.jsonl", "closed"): 2, ("mine.py", "closed"): 1}  # fmt: skip


def tries(name: str) -> dict[str, list[str]]:
    """The words with which each damage of a file is tried."""
    lines, begin = READ[name], 5 * [*READ].index(name)
    found: dict[str, list[str]] = {damage: [] for damage in DAMAGE}
    for number in range(max(TRIED, len(lines))):
        found[[*DAMAGE][(begin + number) % len(DAMAGE)]].append(lines[number % len(lines)])
    if name == "mine.py":  # its backend's process reads it, within its own limits
        found["huge"].clear()
    for (which, damage), number in FOUND.items():
        if which == name and lines[number] not in found[damage]:
            found[damage].append(lines[number])
    return {damage: each for damage, each in found.items() if each}


@pytest.mark.slow
@pytest.mark.first
def test_every_file_in_every_state(tmp_path: Path) -> None:
    asked: list[tuple[str, str, list[str]]] = []
    for name, whole in valid(tmp_path).items():
        for damage, lines in tries(name).items():
            parent = tmp_path / "damaged" / damage / ("benchmarks" if name == "w.yaml" else name.replace(".", "-"))
            parent.mkdir(parents=True)
            if name == "notes.yaml":
                write(parent / "small.yaml", CASES)
            if name == "mine.profile.yaml":
                write(parent / "mine.py", MINE.format(result=GOOD))
            DAMAGE[damage](parent / name, whole)
            at = str(parent.relative_to(tmp_path))
            for line in lines:
                words = [
                    f"{at}/{name}" if word == "@" else at if word == "/" else f"{at}{word}" if word[0] == "/" else word
                    for word in line.split()
                ]
                asked.append((name, damage, words))
    done = subprocess.run(
        [sys.executable, *UNPRIVILEGED, "-m", "tests.support.ends"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        input=json.dumps([("both", words) for _, _, words in asked]),
        capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    for each in (tmp_path / "damaged" / "closed").iterdir():
        each.chmod(0o700)
    shutil.rmtree(tmp_path / "damaged")
    assert done.returncode == 0, done.stderr
    found = [Ended(*each) for each in json.loads(done.stdout)]
    wrong = [
        f"{' '.join(words)}: {problem}: {ended.code}, {ended.memory} MiB\n{ended.said[-800:]}"
        for (name, damage, words), ended in zip(asked, found, strict=True)
        if (problem := problem_of(damage, ended))
    ]
    assert not wrong, f"{len(wrong)} of {len(asked)}\n" + "\n\n".join(wrong)


def problem_of(damage: str, ended: Ended) -> str:
    """What is not as it should be, or nothing. What is sound in part, such as a run that was cut off, may be read."""
    if ended.left_behind:
        return "a process is left behind"
    if ended.code == -14:
        return "no end"
    if ended.code not in (0, 1, 2, 3) or any(words in ended.said for words in ("Traceback", "internal error")):
        return "no words of ours"
    if ended.memory > MOST_MEMORY:
        return "too much memory"
    if ended.code >= 2 and ("hint: " not in ended.said or f"damaged/{damage}/" not in ended.said):
        return "no hint" if "hint: " not in ended.said else "the file is not named"
    return ""
