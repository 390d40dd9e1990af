"""A run that is interrupted anywhere and resumed ends as an unbroken one, the register's stale entries among it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import zlib
from pathlib import Path

import msgspec
import pytest

from conformance import __version__
from conformance.model.errors import UsageError
from conformance.model.records import BlockRecord, encode_record
from conformance.results.store import FILE, read_run
from conformance.run import launch as launching
from conformance.run.launch import Finished, launch
from conformance.run.settings import RunSettings
from tests.support.cli import write
from tests.support.launched import launch_here

pytestmark = pytest.mark.slow

CASES = "theme: numbered\ncases:\n" + "".join(
    f"- {{id: case-{n}, why: w, op: softmax, logits: [[{n}, 1.5]], dtypes: [float32]}}\n" for n in range(40)
)
PROFILE = """
backend: {name}
extends: numpy
known:
  - id: no-longer-wrong
    cases: [case-1, case-39]
    checks: [value]
    ops: [softmax]
    why: it is right
    issue: not reported
    date: "2026-01-01"
"""


def settings(**more: object) -> RunSettings:
    return RunSettings(jobs=1, quiet=True, identities=False, **more)  # type: ignore[arg-type]


def finish(**more: object) -> Finished:
    return launch_here(settings(**more))


def judged(folder: Path) -> list[bytes]:
    return sorted(msgspec.json.encode(msgspec.structs.replace(each, seconds=0.0)) for each in read_run(folder).outcomes)


def test_stale_entries_survive_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "numbered.yaml").write_text(CASES)
    monkeypatch.setattr(launching, "CASES", tmp_path / "cases")
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text(
            "from conformance.backends.numpy import Numpy\n\n\nclass Mine(Numpy): pass\n"
        )
        (tmp_path / f"{name}.profile.yaml").write_text(PROFILE.format(name=name))
    mine = (str(tmp_path / "first.py"), str(tmp_path / "second.py"))
    whole = finish(backends=mine, output=tmp_path / "whole")
    lines = (tmp_path / "whole" / FILE).read_bytes().splitlines(keepends=True)
    stale = [number for number, line in enumerate(lines, 1) if b'"verdict":"stale"' in line]
    assert (whole.exit_code, whole.counts["stale"], len(stale)) == (1, 4, 4)
    # Within a unit, before the first stale line, between two, behind them, within the second backend, at the end.
    for kept in (5, stale[0] - 1, stale[0], stale[1], stale[1] + 9, stale[2] - 1, stale[2], stale[3]):
        folder = tmp_path / f"cut-{kept}"
        folder.mkdir()
        (folder / FILE).write_bytes(b"".join(lines[:kept]) + lines[kept][:20])
        resumed = finish(resume=folder, backends=mine)
        assert (resumed.exit_code, resumed.counts) == (whole.exit_code, whole.counts), kept
        assert judged(folder) == judged(tmp_path / "whole"), kept


@pytest.fixture(scope="module")
def of_numpy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that stands in its middle, for what is refused before it is touched."""
    return interrupted(tmp_path_factory.mktemp("of-numpy"), "numpy")


def interrupted(folder: Path, backend: str) -> Path:
    """A run that stands in its middle."""
    write(folder / "cases.yaml", CASES)
    finish(backends=(backend,), paths=(folder / "cases.yaml",), output=folder / "run")
    file = folder / "run" / FILE
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:40]))
    return folder / "run"


def completed(run: Path, *backends: str) -> Finished:
    """The run of :func:`interrupted`, resumed with what it was begun with."""
    return finish(resume=run, backends=backends, paths=(run.parent / "cases.yaml",))


def rewrite(run: Path, what: str, by: str) -> None:
    """Another text in a results file, with the checksums that belong to it."""
    pieces: list[str] = []
    for line in (run / FILE).read_text().replace(what, by).splitlines(keepends=True):
        if line.startswith('{"record":"block"'):
            count = json.loads(line)["lines"]
            block = "".join(pieces[-count:]).encode()
            line = encode_record(BlockRecord(lines=count, crc32=zlib.crc32(block))).decode()
        pieces.append(line)
    (run / FILE).write_text("".join(pieces))


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    file = tmp_path / "kernel.py"
    file.write_text("from conformance.backends.numpy import Numpy\n\n\nclass Mine(Numpy): pass\n")
    return file


def test_no_code_runs_because_a_results_file_names_it(tmp_path: Path, kernel: Path) -> None:
    folder, named = interrupted(tmp_path, str(kernel)), str(kernel)
    kernel.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n" + kernel.read_text())
    for spec in (str(kernel), "antigravity:Mine", "no_such_module:Mine", "a.py; touch ran; #.py"):
        rewrite(folder, named, spec)
        named = spec
        with pytest.raises(UsageError, match=r"whose code would be run(?s:.*)-b ") as refused:
            finish(resume=folder)
        assert spec in str(refused.value)
        command = str(refused.value.hint).partition(": ")[2]
        begun_with = ["-b", spec, "--cases", str(folder.parent / "cases.yaml")]
        assert shlex.split(command) == ["conformance", "run", "--resume", str(folder), *begun_with]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "fault",
    ["raise OSError('the device is lost')", "os.kill(int(open(f'/proc/{os.getppid()}/stat').read().split()[3]), 9)"],
)
def test_a_run_is_resumed_in_which_a_backend_did_not_start_or_was_given_up(
    tmp_path: Path, kernel: Path, fault: str
) -> None:
    lost, folder, cases = tmp_path / "lost", tmp_path / "run", write(tmp_path / "cases.yaml", CASES)
    kernel.write_text(f"import os\n\nif os.path.exists({str(lost)!r}):\n    {fault}\n{kernel.read_text()}")
    named = (str(kernel), "numpy")
    finish(backends=named, paths=(cases,), output=tmp_path / "whole")
    lost.touch()
    broken = launch(settings(backends=named, paths=(cases,), output=folder))  # it ends the process that judges
    assert broken.exit_code == 3 and broken.failed.keys() == {"kernel"} and read_run(folder).backends["kernel"].error
    lost.unlink()
    assert finish(backends=named, paths=(cases,), resume=folder).exit_code == 0
    assert judged(folder) == judged(tmp_path / "whole") and not read_run(folder).backends["kernel"].error


def test_a_run_is_resumed_with_its_own_backends_alone(tmp_path: Path, kernel: Path) -> None:
    folder = interrupted(tmp_path, str(kernel))
    with pytest.raises(UsageError, match="its own backends"):
        completed(folder, "numpy")
    assert completed(folder, str(kernel)).exit_code == 0


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"tier": "full"}, "selection"), ({"device": "cuda"}, "selection"), ({"mode": "compile"}, "selection"),
        ({"seed": 0}, "selection"), ({"replace": True}, "folder"), ({"output": Path("elsewhere")}, "folder"),
    ],
    ids=lambda each: next(iter(each), "") if isinstance(each, dict) else "",
)  # fmt: skip
def test_nothing_else_can_be_asked_of_a_run_that_is_resumed(
    of_numpy: Path, asked: dict[str, object], kept: str
) -> None:
    before = (of_numpy / FILE).read_bytes()
    with pytest.raises(UsageError, match=f"a resumed run keeps its own {kept}") as refused:
        finish(resume=of_numpy, **asked)
    assert f"--{next(iter(asked))}" in str(refused.value) and (of_numpy / FILE).read_bytes() == before


def test_a_changed_backend_does_not_complete_a_run(tmp_path: Path, kernel: Path) -> None:
    folder = interrupted(tmp_path, str(kernel))
    kernel.write_text(kernel.read_text() + "# another line\n")
    with pytest.raises(UsageError, match="code has changed"):
        completed(folder, str(kernel))
    kernel.write_text(kernel.read_text().removesuffix("# another line\n"))
    write(tmp_path / "kernel.profile.yaml", PROFILE.format(name="kernel"))
    with pytest.raises(UsageError, match="profile has changed"):
        completed(folder, str(kernel))
    (tmp_path / "kernel.profile.yaml").unlink()
    version = read_run(folder).backends["kernel"].versions["numpy"]
    rewrite(folder, f'"numpy":"{version}"', '"numpy":"1.0"')
    with pytest.raises(UsageError, match=f"begun with other versions: numpy {re.escape(version)}, not 1.0"):
        completed(folder, str(kernel))


@pytest.mark.parametrize("change", ["edited", "renamed", "removed", "another-file"])
def test_changed_cases_do_not_complete_a_run(tmp_path: Path, change: str) -> None:
    """Whatever has become of them: the file is named, and nothing of the results is touched."""
    write(tmp_path / "cases" / "numbered.yaml", CASES)
    write(tmp_path / "cases" / "other.yaml", CASES.replace("case-", "other-"))
    finish(backends=("numpy",), paths=(tmp_path / "cases",), output=tmp_path / "run")
    file, changed = tmp_path / "run" / FILE, tmp_path / "cases" / "other.yaml"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:40]))
    before, text = file.read_bytes(), changed.read_text()
    write(changed, text + "# a comment changes no case\n")
    if change == "another-file":
        changed = write(tmp_path / "cases" / "new.yaml", CASES.replace("case-", "new-"))
    elif change == "removed":
        changed.unlink()
    else:
        old, new = {"edited": ("[39, 1.5]", "[38, 1.5]"), "renamed": ("theme: numbered", "theme: renamed")}[change]
        write(changed, text.replace(old, new))
    with pytest.raises(UsageError, match="cases have changed since the run was begun") as refused:
        finish(resume=tmp_path / "run", paths=(tmp_path / "cases",))
    assert refused.value.place is not None and refused.value.place.file == str(changed) and refused.value.hint
    assert file.read_bytes() == before
    write(tmp_path / "cases" / "other.yaml", text + "# a comment changes no case\n")
    (tmp_path / "cases" / "new.yaml").unlink(missing_ok=True)
    assert finish(resume=tmp_path / "run", paths=(tmp_path / "cases",)).counts == {"pass": 400}


@pytest.mark.parametrize("key", ["cases", "costs"])
def test_no_file_is_read_because_the_results_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The user names files again, or nothing is read; what is named is read, and nothing else is."""
    folder = interrupted(tmp_path, "numpy")
    cases, other = tmp_path / "cases.yaml", write(tmp_path / "other.yaml", CASES.replace("1.5", "2.5"))
    recorded = {"cases": f'"cases":["{cases}"]', "costs": '"costs":[]'}[key]
    foreign = [str(tmp_path / "foreign.yaml"), str(tmp_path / "third.yaml")]
    rewrite(folder, recorded, f'"{key}":{json.dumps(foreign, separators=(",", ":"))}')
    for each in foreign:  # whoever opens one waits for ever
        os.mkfifo(each)
    assert read_run(folder).header.selection[key] == foreign
    before = (folder / FILE).read_bytes()
    if key == "cases":
        with pytest.raises(UsageError, match="keeps its own cases") as refused:
            finish(resume=folder, paths=(other,))
        assert all(f"--cases {each}" in str(refused.value.hint) for each in foreign)
    for reads in ("case_files", "load_suite", "read_costs"):
        monkeypatch.setattr(launching, reads, lambda *_: pytest.fail("it was read"))
    with pytest.raises(UsageError, match=r"foreign.yaml, which would be read") as refused:
        finish(resume=folder, paths=() if key == "cases" else (cases,))
    assert all(f"--{key} {each}" in str(refused.value.hint) for each in foreign)
    assert (folder / FILE).read_bytes() == before


def test_files_may_be_named_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they may from another folder; what they hold is compared."""
    write(tmp_path / "mine" / "cases.yaml", CASES)
    monkeypatch.chdir(tmp_path / "mine")
    finish(backends=("numpy",), paths=(Path("cases.yaml"),), output=tmp_path / "run")
    file = tmp_path / "run" / FILE
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:40]))
    monkeypatch.chdir(tmp_path)
    assert finish(resume=tmp_path / "run", paths=(tmp_path / "mine" / "cases.yaml",)).counts == {"pass": 200}


def test_few_random_cases_are_made_unasked(of_numpy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    shutil.copytree(of_numpy, folder)
    rewrite(folder, '"random":0,"seed":null', '"random":1000000,"seed":1')
    monkeypatch.setattr(launching, "load_suite", lambda *_: pytest.fail("it was read"))
    with pytest.raises(UsageError, match="ask for 1000000 random cases"):
        finish(resume=folder, paths=(of_numpy.parent / "cases.yaml",))


def test_a_file_of_which_nothing_is_selected_has_not_changed(tmp_path: Path) -> None:
    write(tmp_path / "cases" / "numbered.yaml", CASES)
    write(tmp_path / "cases" / "other.yaml", CASES.replace("case-", "other-"))
    finish(backends=("numpy",), paths=(tmp_path / "cases",), expression="case", output=tmp_path / "run")
    file = tmp_path / "run" / FILE
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:40]))
    assert [*read_run(tmp_path / "run").header.case_files.values()].count("") == 1
    assert finish(resume=tmp_path / "run", paths=(tmp_path / "cases",)).counts == {"pass": 200}


def test_a_run_keeps_the_limits_by_which_cases_are_left_out(tmp_path: Path) -> None:
    large = CASES.replace("id: case-39,", "id: case-39, budget: {memory: 3221225472, seconds: 90},")
    cases, limits = write(tmp_path / "cases.yaml", large), {"max_memory": 4 << 30, "timeout": 100.0}
    finish(backends=("numpy",), paths=(cases,), output=tmp_path / "run", **limits)
    file = tmp_path / "run" / FILE
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:40]))
    for other in ({"max_memory": 3 << 30}, {"timeout": 70.0}):
        with pytest.raises(UsageError, match="keeps its own selection") as refused:
            finish(resume=tmp_path / "run", paths=(cases,), **other)
        assert "--max-memory and --timeout" in str(refused.value.hint)
    assert finish(resume=tmp_path / "run", paths=(cases,)).counts == {"pass": 200}


def test_another_version_of_the_suite_does_not_complete_a_run(tmp_path: Path, of_numpy: Path) -> None:
    folder = shutil.copytree(of_numpy, tmp_path / "run")
    rewrite(folder, f'"suite":"{__version__}"', '"suite":"0.0.1"')
    with pytest.raises(UsageError, match="begun by version 0.0.1 of the suite"):
        finish(resume=folder)
