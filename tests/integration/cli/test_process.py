"""The command line as a process: exit codes, separate streams, JSON alone, Ctrl-C, and no traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import VERBS
from tests.support.cli import CASES, ROOT, TAKES_CTRL_C, WRONG, Ran, Run, adapter, process, write


def outcomes(folder: Path) -> list[dict[str, Any]]:
    """The outcomes of a run without what differs from run to run."""
    records = [json.loads(line) for line in (folder / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in each.items() if k != "seconds"} for each in records if each["record"] == "outcome"]


def footer(folder: Path) -> dict[str, Any] | None:
    records = [json.loads(line) for line in (folder / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()]
    return next((each for each in records if each["record"] == "footer"), None)


def totals(ran: Ran, backend: str) -> dict[str, int]:
    """The verdicts of a backend in a run's JSON, whose names may carry a version."""
    (found,) = [counts for name, counts in ran.json["backends"].items() if name.partition(" ")[0] == backend]
    counted: dict[str, int] = found
    return counted


def require_refused(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code and ran.out == ""
    for word in (*words, "hint: "):
        assert word in ran.err, ran.err
    assert "Traceback" not in ran.err


class TestRun:
    def test_a_conforming_run(self, tmp_path: Path) -> None:
        write(tmp_path / "small.yaml")
        ran = process(
            "run", "-b", "numpy", "--cases", "small.yaml", "--output", "out", "--format", "json", folder=tmp_path
        )
        assert ran.code == 0 and totals(ran, "numpy").keys() == {"pass"} and ran.json["truncated"] is False
        assert "numpy" in ran.err and "100 %" in ran.err  # progress
        assert Path(tmp_path, ran.json["outcomes"]).is_file() and Path(tmp_path, ran.json["summary"]).is_file()
        assert {each["verdict"] for each in outcomes(tmp_path / "out")} == {"pass"} and footer(tmp_path / "out")

    def test_a_non_conforming_run(self, tmp_path: Path) -> None:
        write(tmp_path / "small.yaml")
        adapter(tmp_path, WRONG)
        ran = process("run", "-b", "mine.py", "--cases", "small.yaml", "--output", "out", "-q", folder=tmp_path)
        assert ran.code == 1 and ran.err == "" and "fail" in ran.out and "rows" in ran.out
        verdicts = {(each["case"], each["verdict"]) for each in outcomes(tmp_path / "out")}
        assert ("rows", "fail") in verdicts and ("plain", "fail") not in verdicts

    def test_a_backend_that_fails_on_import_beside_one_that_works(self, conformance: Run, tmp_path: Path) -> None:
        file, broken = (
            write(tmp_path / "small.yaml"),
            write(tmp_path / "broken.py", "raise RuntimeError('no such device')\n"),
        )
        ran = conformance("run", "-b", broken, "--cases", file, "--output", tmp_path / "one", "--format", "json")
        assert ran.code == 3 and "no such device" in ran.json["unavailable"]["broken"] and "Traceback" not in ran.err
        ran = conformance(
            "run", "-b", broken, "-b", "numpy", "--cases", file, "--output", tmp_path / "two", "--format", "json"
        )
        assert ran.code == 3 and set(ran.json["unavailable"]) == {"broken"} and totals(ran, "numpy")["pass"]

    @pytest.mark.parametrize(
        ("says", "words"),
        [
            ("def versions(self): return {'numpy': [2]}", ("versions() is {'numpy': [2]}", "names to texts")),
            ("def settings(self): return [1]", ("settings() is [1]", "names to texts")),
            ("framework = None", ("framework is None", "a text of one line")),
            ("mode = property(lambda self: 'a\\nb', lambda self, mode: None)", (r"mode is 'a\nb'",)),
        ],
    )
    def test_a_backend_that_says_of_itself_what_no_reader_can_read(
        self, conformance: Run, tmp_path: Path, says: str, words: tuple[str, ...]
    ) -> None:
        text = f"from conformance.backends.numpy import Numpy\n\n\nclass Odd(Numpy):\n    {says}\n"
        ran = conformance(
            "run", "-b", write(tmp_path / "odd.py", text), "--cases", write(tmp_path / "small.yaml"), "--output",
            tmp_path / "out",
        )  # fmt: skip
        assert ran.code == 3 and "Traceback" not in ran.err
        for word in (*words, "odd did not run: Odd.", "\n  hint: let"):
            assert word in ran.out, ran.out
        assert conformance("report", tmp_path / "out", "--output", tmp_path / "site").code == 0

    def test_a_backend_without_a_profile(self, conformance: Run, tmp_path: Path) -> None:
        text = "from conformance.backends.numpy import Numpy\n\n\nclass Bare(Numpy):\n    profile = None\n"
        ran = conformance(
            "run", "-b", write(tmp_path / "bare.py", text), "--cases", write(tmp_path / "small.yaml"), "--output",
            tmp_path / "out", "--format", "json",
        )  # fmt: skip
        assert ran.code == 0 and totals(ran, "bare").keys() == {"pass"}

    def test_an_expected_value_that_is_not_the_truth(self, conformance: Run, tmp_path: Path) -> None:
        text = CASES.replace("targets: [1]", "targets: [1]\n    expected: {mean: 1.4308}")
        ran = conformance("run", "-b", "numpy", "--cases", write(tmp_path / "small.yaml", text))
        require_refused(
            ran, 2, "small.yaml:9: cases[0].expected.mean: 1.4308 is not the true value", "write 1.5306784602098737"
        )

    def test_a_framework_that_is_not_installed(
        self, conformance: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import importlib.util

        known = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, package=None: None if name == "optax" else known(name, package)
        )
        file = write(tmp_path / "small.yaml")
        require_refused(
            conformance("run", "-b", "optax", "--cases", file), 2, "optax", "is not installed", "pip install optax"
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rum",), ("there is no verb 'rum'", "did you mean 'run'?")),
        (("run", "-b", "nunpy"), ("there is no backend 'nunpy'", "did you mean numpy?")),
        (("run", "-b", "numpy:cuda"), ("'cuda'",)),
        (("run", "-b", "nowhere.py"), ("there is no file nowhere.py",)),
        (("run", "-b", "numpy", "--cases", "nowhere.yaml"), ("nowhere.yaml: no such file or folder",)),
        (("run", "-b", "numpy", "--cases", "bad.yaml"), ("bad.yaml:3: cases[0]", "key 'op' is missing")),
        (("run", "-b", "numpy", "--cases", "small.yaml", "-k", "nothing"), ("no case is selected",)),
        (("run", "-b", "numpy", "--cases", "small.yaml", "-k", "a or or"), ("-k 'a or or'",)),
        (("run", "-b", "numpy", "--cases", "small.yaml", "--dtype", "float33"), ("unknown dtype 'float33'",)),
        (("run", "-b", "numpy", "--cases", "small.yaml", "--shard", "3/2"), ("--shard '3/2'",)),
        (("run", "--resume", "nowhere"), ("nowhere does not exist",)),
        (("list", "--cases", "bad.yaml"), ("bad.yaml:3: cases[0]",)),
        (("explain", "plain", "--cases", "bad.yaml"), ("bad.yaml:3: cases[0]",)),
        (("fill", "bad.yaml"), ("bad.yaml:3: cases[0]",)),
    ],
)
def test_wrong_usage(conformance: Run, tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    write(tmp_path / "small.yaml")
    write(tmp_path / "bad.yaml", "theme: bad\ncases:\n  - {id: it, why: w, logits: [1], targets: 0}\n")
    require_refused(conformance(*arguments), 2, *words)


@pytest.mark.parametrize(
    "arguments", [("run", "--jobs", "0"), ("run", "--format", "xml"), ("list", "--colour"), ("explain",)]
)
def test_wrong_options(conformance: Run, arguments: tuple[str, ...]) -> None:
    ran = conformance(*arguments)
    assert ran.code == 2 and ran.out == "" and ran.err.startswith("error: ") and "--help shows" in ran.err


def test_help_and_version(tmp_path: Path) -> None:
    ran = process("--help", folder=tmp_path)
    assert (ran.code, ran.err) == (0, "") and [verb for verb in VERBS if f"  {verb} " not in ran.out] == []
    assert process("--version", folder=tmp_path).out.startswith("conformance, version ")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_is_offered_is_there(conformance: Run, verb: str) -> None:
    ran = conformance(verb, "--help")
    assert (ran.code, ran.err) == (0, "") and ran.out.startswith("Usage: ")
    usage, _, rest = ran.out.partition("\n\n")
    assert "\n" not in usage, "a list of words is cut wherever the line ends"
    assert not re.search(r"^  [a-z-]+  .*\.\.\.$", rest, re.MULTILINE), "a summary is cut off"


@pytest.mark.parametrize(
    ("output", "code", "words"),
    [
        ("file", 2, "file is not a folder"),
        ("file/below", 2, "file is not a folder"),
        ("/proc/nothing", 3, "/proc/nothing"),
    ],
)
def test_an_output_folder_that_cannot_be_written(
    conformance: Run, tmp_path: Path, output: str, code: int, words: str
) -> None:
    write(tmp_path / "file", "in the way")
    ran = conformance("run", "-b", "numpy", "--cases", write(tmp_path / "small.yaml"), "--output", output, "-q")
    require_refused(ran, code, words)
    assert "internal error" not in ran.err
    assert (tmp_path / "file").read_text(encoding="utf-8") == "in the way"


def test_a_folder_that_holds_a_run_already(conformance: Run, tmp_path: Path) -> None:
    arguments = ("run", "-b", "numpy", "--cases", write(tmp_path / "small.yaml"), "--output", tmp_path / "out", "-q")
    assert conformance(*arguments).code == 0
    before = (tmp_path / "out" / "outcomes.jsonl").read_bytes()
    require_refused(conformance(*arguments), 2, "already holds a run")
    assert (tmp_path / "out" / "outcomes.jsonl").read_bytes() == before


def test_a_profile_that_is_refused_leaves_the_folder_free(conformance: Run, tmp_path: Path) -> None:
    mine, profile = adapter(tmp_path), write(tmp_path / "mine.profile.yaml", "backend: mine\npolicis: {}\n")
    arguments = ("run", "-b", mine, "--cases", write(tmp_path / "small.yaml"), "--output", tmp_path / "out", "-q")
    require_refused(conformance(*arguments), 2, "mine.profile.yaml", "policis")
    assert not (tmp_path / "out").exists()
    write(profile, "backend: mine\n")
    assert conformance(*arguments).code == 0


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    many = "theme: many\ncases:\n" + "".join(
        f"- {{id: many-{n}, why: {'w' * 80}, op: softmax, logits: [1]}}\n" for n in range(10_000)
    )
    write(tmp_path / "many.yaml", many)
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m conformance list --cases many.yaml | head -n 1; exit ${{PIPESTATUS[0]}}"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("case ") and done.stderr == "" and done.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize(("output", "code"), [(">/dev/full", 3), (">&-", 0), (">&- 2>&- <&-", 0), ("2>/dev/full", 0)])
def test_output_that_cannot_be_written(tmp_path: Path, output: str, code: int) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m conformance list verdicts {output}"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code and "Traceback" not in done.stderr and "internal error" not in done.stderr
    assert ("cannot be written" in done.stderr) == (code == 3)


#: Waits at one of the last cases until there is a file that lets it go on.
WAITING = """\
import time
from pathlib import Path
from conformance.backends.adapters.numpy import Numpy

class Waiting(Numpy):
    def evaluate(self, call, logits):
        while logits[0, 1] == 199 and not Path("go").exists():
            time.sleep(0.01)
        return super().evaluate(call, logits)
"""


def numbered(count: int) -> str:
    case = "- {{id: case-{n}, why: w, op: softmax, logits: [[0.5, {n}]], dtypes: [float32]}}\n"
    return "theme: numbered\ncases:\n" + "".join(case.format(n=n) for n in range(count))


@pytest.mark.slow
class TestInterrupted:
    """Ctrl-C while a backend works: what is done is kept, and ``--resume`` completes it."""

    COUNT = 200  # more than are judged together

    @pytest.fixture
    def interrupted(self, tmp_path: Path) -> Ran:
        write(tmp_path / "numbered.yaml", numbered(self.COUNT))
        write(tmp_path / "waiting.py", WAITING)
        engine = subprocess.Popen(
            [sys.executable, "-c", TAKES_CTRL_C, "run", "-b", "waiting.py", "--cases", "numbered.yaml",
             "--output", "out", "--no-identities"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip
        try:
            results = tmp_path / "out" / "outcomes.jsonl"
            while not (results.exists() and b'"outcome"' in results.read_bytes()):
                assert engine.poll() is None, engine.communicate()
                time.sleep(0.01)
            os.killpg(engine.pid, signal.SIGINT)
            out, err = engine.communicate(timeout=60)
        finally:
            engine.kill()
        return Ran(engine.returncode, out, err)

    def test_ctrl_c(self, interrupted: Ran, tmp_path: Path) -> None:
        assert (interrupted.code, interrupted.out) == (130, "") and "Traceback" not in interrupted.err
        assert "complete it with conformance run --resume out -b waiting.py --cases numbered.yaml" in interrupted.err
        done = outcomes(tmp_path / "out")
        assert footer(tmp_path / "out") is None and 0 < len({each["case"] for each in done}) < self.COUNT

        (tmp_path / "go").touch()
        again = ("run", "--resume", "out", "-b", "waiting.py", "--cases", "numbered.yaml")
        ran = process(*again, "-q", "--format", "json", folder=tmp_path)
        assert (ran.code, ran.err) == (0, "") and ran.json["truncated"] is False and footer(tmp_path / "out")
        process(
            "run",
            "-b",
            "waiting.py",
            "--cases",
            "numbered.yaml",
            "--output",
            "whole",
            "-q",
            "--no-identities",
            folder=tmp_path,
        )
        whole, resumed = outcomes(tmp_path / "whole"), outcomes(tmp_path / "out")
        kept = [each for each in done if each["case"] != done[-1]["case"]]  # the last unit may be in part: it is redone
        assert resumed[: len(kept)] == kept and len({each["case"] for each in whole}) == self.COUNT
        assert _any_order(resumed) == _any_order(whole)
        require_refused(process(*again, folder=tmp_path), 2, "is complete")


def _any_order(outcomes: list[Any]) -> list[str]:
    """Tasks end in any order: the file holds the same, but not in the same order."""
    return sorted(json.dumps(each, sort_keys=True) for each in outcomes)


@pytest.mark.framework
def test_a_verb_imports_no_large_library_before_it_needs_it(tmp_path: Path) -> None:
    write(tmp_path / "cases.yaml")
    code = (
        "import sys; from conformance.cli import main; import conformance.run.launch, conformance.worker.find as find\n"
        "assert find.find_backends(('numpy', 'torch'))  # a run asks and judges in other processes\n"
        "assert not {'numpy', 'flint', 'packaging', 'rich'} & {*sys.modules}\n"
        "for words in (['run', '--help'], ['worker', '--help'], ['list', 'cases'], ['lint', 'cases.yaml']):\n"
        "    assert main(words) == 0, words\n"
        "large = ('altair', 'dask', 'distributed', 'duckdb', 'pandas', 'pyarrow', 'scipy', 'torch')\n"
        "sys.exit(', '.join(name for name in large if name in sys.modules) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
                         env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert ran.returncode == 0, ran.stderr


def test_the_thread_number_of_the_harness_is_not_that_of_what_it_starts(tmp_path: Path) -> None:
    code = (
        "import ctypes, os; from conformance import cli; from conformance.repro.alone import output_of\n"
        "def run_command(*arguments, **options):\n"
        "    own = ctypes.CDLL(None); own.getenv.restype = ctypes.c_char_p\n"
        "    script = 'import os; print(os.environ.get(\"OPENBLAS_NUM_THREADS\"))'\n"
        "    print(own.getenv(b'OPENBLAS_NUM_THREADS').decode(), output_of(script))\n"
        "cli.run_command = run_command\n"
        "cli.entry()"
    )
    own = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    for environment, seen in ((own, "1 None"), ({**own, "OPENBLAS_NUM_THREADS": "3"}, "3 3")):
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**environment, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert (ran.stdout.strip(), ran.stderr) == (seen, "")
