"""Where a report is written: never behind a link in its folder, whole or not at all, and with a way on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.places import ROOT
from tests.support.cli import WRONG, Run, adapter, write
from tests.support.outcomes import outcome, run

pytestmark = pytest.mark.slow


def test_a_link_in_the_folder_is_not_written_through(tmp_path: Path, conformance: Run) -> None:
    run(tmp_path / "run", [outcome("c", verdict="fail")])
    mine, site = tmp_path / "mine", tmp_path / "site"
    mine.mkdir()
    site.mkdir()
    for name in ("index.html", "summary.md", ".index.html.partial"):
        (mine / name).write_text("mine", encoding="utf-8")
        (site / name).symlink_to(mine / name)
    assert conformance("report", "run", "--output", "site").code == 0
    assert [(mine / name).read_text(encoding="utf-8") for name in ("index.html", "summary.md")] == ["mine", "mine"]
    assert not (site / "index.html").is_symlink() and not (site / "summary.md").is_symlink()
    for name in ("cases", "dossier"):
        other = tmp_path / f"other-{name}"
        other.mkdir()
        (other / name).symlink_to(mine, target_is_directory=True)
        ran = conformance("report", "run", "--output", other)
        assert ran.code == 2 and f"{name} is a link to another folder" in ran.err and "hint: remove it" in ran.err
    assert sorted(each.name for each in mine.iterdir()) == [".index.html.partial", "index.html", "summary.md"]


def test_no_site_of_a_run_is_written_behind_a_link(tmp_path: Path, conformance: Run) -> None:
    cases, foreign = write(tmp_path / "small.yaml"), tmp_path / "foreign"
    foreign.mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "site").symlink_to(foreign, target_is_directory=True)
    ran = conformance("run", "-b", "numpy", "--cases", cases, "--no-identities", "--output", "run", "--site", "-q")
    assert ran.code == 2 and "site is a link to another folder" in ran.err and "hint: remove it" in ran.err
    assert not [*foreign.iterdir()]
    (tmp_path / "named").symlink_to(foreign, target_is_directory=True)  # by the user, who may
    run(tmp_path / "judged", [outcome("rows")])
    assert conformance("report", "judged", "--output", "named", "--cases", cases).code == 0
    assert (foreign / "index.html").exists()


@pytest.mark.parametrize("name", ["summary.md", "index.html", "assets/pages.txt"])
def test_a_pipe_in_the_folder_is_not_waited_for(tmp_path: Path, conformance: Run, name: str) -> None:
    run(tmp_path / "run", [outcome("c")])
    (tmp_path / "site" / name).parent.mkdir(parents=True)
    os.mkfifo(tmp_path / "site" / name)
    ran = conformance("report", "run", "--output", "site")
    assert ran.code == 2 and f"{name} is not a file" in ran.err and "hint: remove it" in ran.err
    assert (tmp_path / "site" / name).is_fifo() and not [*(tmp_path / "site").rglob(".*")]


def test_a_reproducer_is_not_written_through_a_link(tmp_path: Path, conformance: Run) -> None:
    cases, kernel = write(tmp_path / "small.yaml"), adapter(tmp_path, WRONG)
    words = ("repro", "rows", "-b", kernel, "--cases", cases, "--output", "mine")
    assert conformance(*words).code == 0
    script = next((tmp_path / "mine").glob("*.py"))
    script.unlink()
    (tmp_path / "precious").write_text("precious", encoding="utf-8")
    script.symlink_to(tmp_path / "precious")
    assert conformance(*words).code == 0
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "precious" and not script.is_symlink()


@pytest.mark.parametrize("option", ["--csv", "--junit"])
def test_a_device_is_written_to_as_it_is(tmp_path: Path, conformance: Run, option: str) -> None:
    run(tmp_path / "run", [outcome("c")])
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", "pipe"], cwd=tmp_path, stdout=subprocess.PIPE)
    assert conformance("report", "run", "--output", "site", option, "pipe").code == 0
    assert reader.communicate(timeout=60)[0]
    assert (tmp_path / "pipe").is_fifo()
    if Path("/dev/full").exists():
        ran = conformance("report", "run", "--output", "site", option, "/dev/full")
        assert ran.code == 3 and "/dev/full cannot be written: No space left on device" in ran.err
        assert Path("/dev/full").is_char_device()


#: ``python -m conformance`` that can write no file above 20 kB. Python ignores SIGXFSZ.
ON_A_SMALL_DISK = """\
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from conformance.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_full_disk_is_said_and_leaves_no_part(tmp_path: Path) -> None:
    run(tmp_path / "run", [outcome(f"c{n}", verdict="fail") for n in range(400)])

    done = subprocess.run(
        [sys.executable, "-c", ON_A_SMALL_DISK, "report", "run", "--output", "site", "--details", "0"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 3 and "cannot be written: File too large" in done.stderr, done.stderr
    assert "internal" not in done.stderr and not [*(tmp_path / "site").rglob(".*")]


def test_parquet_without_its_library_names_a_way(
    tmp_path: Path, conformance: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "run", [outcome("c")])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ran = conformance("report", "run", "--output", "site", "--parquet", "all.pq")
    assert ran.code == 2 and not (tmp_path / "all.pq").exists()
    assert "unlike --csv, needs pyarrow" in ran.err and "[exports]" in ran.err
