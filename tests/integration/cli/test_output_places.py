"""Where results are to be written: what cannot be is said before anything is asked, with a way on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conformance.results.store import FILE, read_run
from tests.support import benchmarks
from tests.support.cli import Run, process, write
from tests.support.outcomes import outcome, run
from tests.support.unprivileged import UNPRIVILEGED

VERBS = {
    "run": "-b numpy --cases small.yaml -q --output",
    "bench": "-b numpy --workloads w.yaml --replicates 1 --budget 0.002 -q --output",
    "report": "old --output",
    "dossier": "old --output",
    "repro": "rows -b numpy --cases small.yaml --output",
    "export vectors": "--cases small.yaml -q --output",
    "history show": "--db h.duckdb --output",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the verbs read, and places of every kind at which no folder can be made."""
    write(tmp_path / "small.yaml")
    write(tmp_path / "w.yaml", "workloads:\n  - {id: two, why: small, shape: [2, 3], contracts: [forward]}\n")
    run(tmp_path / "old", [outcome("rows", verdict="fail")])
    benchmarks.write(tmp_path / "times", workloads={"w": (4, 8)}, rounds=2)
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_a_place_at_which_no_folder_can_be(folder: Path, conformance: Run, verb: str) -> None:
    if verb == "history show":
        assert conformance("history", "add", "times", "--db", "h.duckdb").code == 0
    for place in ("file", "file/below", "nowhere", "nowhere/below", "circle", "pipe", "n" * 300):
        ran = conformance(*verb.split(), *VERBS[verb].split(), place)
        assert ran.code == 2 and "hint: " in ran.err and place.partition("/")[0] in ran.err, (place, ran)
        assert "rror: internal" not in ran.err and ran.out == "" and not (folder / "missing").exists()


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "history show"])
def test_a_folder_that_may_not_be_written(folder: Path, verb: str) -> None:
    (folder / "closed").mkdir(mode=0o555)
    for place in ("closed", "closed/below") if verb == "run" else ("closed/below",):
        words = (*verb.split(), *VERBS[verb].split(), place)
        ran = process(*words, folder=folder, program=(*UNPRIVILEGED, "-m", "conformance"))
        assert ran.code == 3 and "Permission denied" in ran.err and "hint: see its permissions" in ran.err, ran
    assert not [*(folder / "closed").iterdir()]


NOTES_THAT_IT_RAN = "open('asked', 'w')\nfrom conformance.backends.numpy import Numpy\nclass Mine(Numpy): pass\n"
NAMES = ("site", "summary.md", "outcomes.jsonl", ".lock", "site/cases", "site/index.html")


@pytest.mark.parametrize("kind", ["link", "pipe"])
@pytest.mark.parametrize("name", NAMES)
def test_what_stands_in_the_way_is_refused_before_the_first_case(
    folder: Path, conformance: Run, name: str, kind: str
) -> None:
    """A link that is replaced as a whole, as the summary is, does not."""
    place = folder / "out" / name
    place.parent.mkdir(parents=True)
    (folder / "foreign").mkdir()
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(folder / "foreign", target_is_directory=True)
    write(folder / "mine.py", NOTES_THAT_IT_RAN)
    ran = conformance("run", "-b", "mine.py", "--cases", "small.yaml", "--output", "out", "--site", "-q")
    if (kind, name) == ("link", "summary.md"):
        assert ran.code == 0
    else:
        assert ran.code == 2 and f"out/{name} " in ran.err and "hint: " in ran.err
        assert not (folder / "asked").exists()
    assert not [*(folder / "foreign").iterdir()]


@pytest.mark.parametrize("name", ["benchmarks.json", "benchmarks.html", "benchmarks.md", "benchmarks"])
def test_what_stands_in_the_way_of_times_is_refused_before_the_first_entry(
    folder: Path, conformance: Run, name: str
) -> None:
    (folder / "out").mkdir()
    os.mkfifo(folder / "out" / name)
    write(folder / "mine.py", NOTES_THAT_IT_RAN)
    ran = conformance("bench", "-b", "mine.py", *VERBS["bench"].split()[2:], "out")
    assert ran.code == 2 and f"out/{name} is not a f" in ran.err and "hint: " in ran.err
    assert not (folder / "asked").exists()


#: The disk is full within the first block of outcomes; the processes that judge have started before that.
ON_A_DISK_THAT_FILLS = """\
import resource, sys
from conformance.cli import main
from conformance.results.store import Writer

append = Writer.append

def limited(self, lines, verdicts):
    most = self.path.stat().st_size + 700
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    append(self, lines, verdicts)

Writer.append = limited
sys.exit(main(sys.argv[1:]))
"""


def test_a_disk_that_is_full_in_the_middle_of_a_run(folder: Path, conformance: Run) -> None:
    words = ("run", "-b", "numpy", "--cases", "small.yaml", "--jobs", "2", "-q", "--output")
    assert conformance(*words, "whole").code == 0
    ran = process(*words, "my out", folder=folder, program=("-c", ON_A_DISK_THAT_FILLS))
    assert ran.code == 3 and "my out/outcomes.jsonl cannot be written: File too large" in ran.err
    assert "hint: make room, and complete the run: conformance run --resume 'my out' --cases small.yaml" in ran.err
    assert "internal" not in ran.err and read_run(folder / "my out").truncated
    assert conformance("run", "--resume", "my out", "--cases", "small.yaml", "-q").code == 0
    assert read_run(folder / "my out").counts == read_run(folder / "whole").counts
    assert sorted(each.name for each in (folder / "my out").iterdir()) == [FILE, "summary.md"]


def test_an_address_that_needs_certificates_says_which(folder: Path, conformance: Run) -> None:
    write(folder / "empty.pem", "")
    for verb in (("run", "-b", "numpy", "--cases", "small.yaml"), ("worker", "-b", "numpy")):
        for files, said in (
            ("", "needs certificates"),
            ("--tls-ca-file gone.pem", "gone.pem: cannot be read: No such file or directory\n  hint: check the path\n"),
            ("--tls-ca-file pipe", "pipe: not a regular file"),
            ("--tls-ca-file empty.pem --tls-cert empty.pem --tls-key empty.pem", "certificates for tls://127.0.0.1:1"),
        ):
            ran = conformance(*verb, "--scheduler", "tls://127.0.0.1:1", *files.split())
            assert ran.code == 2 and said in ran.err and "hint: " in ran.err, ran
