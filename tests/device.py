"""Everything that a GPU is asked, as one script: conformance, the modes of a framework, benchmarks, and what differs.

``python tests/device.py wheels FOLDER`` gathers, on a machine with a network, what a bare one lacks. There, with Python
3.12, PyTorch and JAX for CUDA, NumPy, pandas, pytest and pytest-benchmark, and without a network or tox,
``python tests/device.py run --wheels FOLDER`` takes eight minutes at most; ``tox run -e cuda`` is the same where there
is a network. OUTPUT then has ``summary.md``, which names the machine, ``differs.md``, the check by check difference
from the processor, the runs themselves and their pages.

``--device cpu`` goes the same way without a GPU. Exit codes: 0 all steps went to their end and nothing failed;
1 something does not conform, a step failed or had no time left, or one of the frameworks sees no device; 2 wrong usage,
or what was named is not there; 4 there is no such device.

Only Python's own library is imported here: the rest comes with the wheels.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib.metadata
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NO_DEVICE = 4
SECONDS = 480.0
#: Shares of the whole time that the steps before leave for a step.
KEPT = {"benchmark": 0.25, "pages": 0.1}
#: What the machine has itself, or gets from what it has: too large to be carried, or built for its device.
THERE = ("jax", "jaxlib", "ml_dtypes", "numpy", "pandas", "pytest", "pytest-benchmark", "scipy", "torch")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
#: Of each framework the modes that are compared with each other; the first is held against the processor's.
MODES = {"torch": ("", "module", "compile"), "jax": ("", "logsumexp", "eager")}
#: What each framework says of its devices, without raising.
ASKED = {
    "torch": "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')",
    "jax": "import jax; print(next((each.device_kind for each in jax.devices('cuda')), ''))",
}
#: Columns by which two outcomes are of one check, and those that are compared.
CHECK = ("case", "dtype", "layout", "op", "reduction", "check")
OUTCOME = ("verdict", "class")
#: By backend: the outcome of each check.
Outcomes = dict[str, dict[tuple[str, ...], tuple[str, ...]]]


class Failed(Exception):
    """Something that is said in a line."""


def main() -> int:
    """Read the command line, and do what it says."""
    parser = argparse.ArgumentParser(prog="device.py", description=(__doc__ or "").partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    wheels = verbs.add_parser("wheels", help="gather the wheels that a bare machine lacks")
    wheels.add_argument("folder", type=Path)
    wheels.add_argument("--python", default="3.12", help="the version of Python there")
    wheels.add_argument("--list", action="store_true", help="only print what is wanted, and download nothing")
    run = verbs.add_parser("run", help="ask the device everything")
    run.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    run.add_argument("--output", type=Path, default=ROOT / "results" / "device")
    run.add_argument("--wheels", type=Path, help="a folder that `wheels` filled; nothing is installed without one")
    run.add_argument("--seconds", type=float, default=SECONDS, help="for all steps together")
    run.add_argument("-b", "--backend", action="append", help="instead of PyTorch and JAX in their modes")
    run.add_argument("-k", dest="expression", help="only these cases, in place of the quick selection")
    run.add_argument("--without", action="append", default=[], choices=("benchmark", "pages"), help="leave out a step")
    differ = verbs.add_parser("differences", help="check by check, what differs between two backends of a run")
    differ.add_argument("run", type=Path)
    differ.add_argument("first")
    differ.add_argument("second")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, _ended)
    if chosen.verb == "wheels":
        return gather(chosen.folder, chosen.python, only_list=chosen.list)
    if chosen.verb == "differences":
        return compared(chosen.run, chosen.first, chosen.second)
    return asked(chosen)


def _ended(number: int, _: object) -> None:
    """End as one that is interrupted does: what was started is ended too."""
    sys.exit(128 + number)


# -- what a bare machine lacks ----------------------------------------------------------------------------------------


def wanted() -> list[str]:
    """The requirements of the suite, as pyproject.toml has them, that are not there."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [*declared["dependencies"], *declared["optional-dependencies"]["bench"]]
    return [each for each in listed if _name(each) not in map(_name, THERE)]


def gather(folder: Path, version: str, *, only_list: bool) -> int:
    """Download the wheels of these, and of what they need, for Python ``version`` on Linux."""
    if only_list:
        sys.stdout.write("".join(f"{each}\n" for each in wanted()))
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--only-binary", ":all:", "--python-version", version]
    command += [word for each in PLATFORMS for word in ("--platform", each)]
    command += ["--constraint", str(ROOT / "constraints.txt"), "--dest", str(folder), *wanted()]
    code = subprocess.run(command, check=False).returncode
    for wheel in folder.glob("*.whl"):
        if _name(wheel.name.partition("-")[0]) in map(_name, THERE):
            wheel.unlink()
    size = sum(each.stat().st_size for each in folder.glob("*.whl"))
    print(f"{len([*folder.glob('*.whl')])} wheels, {size / 2**20:.0f} MiB, in {folder}")
    return 1 if code else 0


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def installed(wheels: Path, folder: Path) -> Path:
    """The wheels that this Python lacks, unpacked in a folder of their own: nothing of the machine's is changed."""
    there = {_name(each.metadata["Name"]) for each in importlib.metadata.distributions() if each.metadata["Name"]}
    lacking = [each for each in sorted(wheels.glob("*.whl")) if _name(each.name.partition("-")[0]) not in there]
    if lacking:
        command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--upgrade", "--quiet"]
        done = subprocess.run([*command, "--target", str(folder), *map(str, lacking)], check=False)
        if done.returncode:
            raise Failed(f"{len(lacking)} wheels of {wheels} are not installed: pip ended with {done.returncode}")
    return folder


# -- the steps --------------------------------------------------------------------------------------------------------


def asked(chosen: argparse.Namespace) -> int:
    """Run the steps one after the other, within the time for all, and write what came of them."""
    last = time.monotonic() + chosen.seconds
    output: Path = chosen.output.resolve()  # the steps begin in the checkout
    output.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    try:
        paths = [str(ROOT), *([str(installed(chosen.wheels.resolve(), output / "packages"))] if chosen.wheels else [])]
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    environment["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [environment.get("PYTHONPATH")])])
    backends, pairs = chosen.backend, []
    names: dict[str, str] = {}
    if not backends:
        names = devices() if chosen.device == "cuda" else dict.fromkeys(ASKED, "the processor")
        found = [each for each, name in names.items() if name]
        if not found:
            print(f"there is no CUDA device here: neither {' nor '.join(ASKED)} sees one", file=sys.stderr)
            print("  hint: --device cpu goes the same way on the processor", file=sys.stderr)
            return NO_DEVICE
        for framework in names.keys() - {*found}:
            print(f"{framework} is not asked: it is not installed, or sees no CUDA device", file=sys.stderr)
        word = ":cuda" if chosen.device == "cuda" else ""
        backends = [f"{each}{word}{mode and ':' + mode}" for each in found for mode in MODES[each]]
        if word:
            backends += found
            pairs = [(each, f"{each}{word}") for each in found]
    named = [word for each in backends for word in ("-b", each)]
    selection = ["-k", chosen.expression] if chosen.expression else ["--quick"]
    python = [sys.executable, "-m", "conformance"]
    conformance = output / "conformance"
    steps = [
        ("conformance", [*python, "run", *named, *selection, "--quiet", "--output", str(conformance), "--replace"])
    ]
    if "benchmark" not in chosen.without:
        timed = [word for each in backends if each.count(":") < 2 for word in ("-b", each)]
        quick = [*python, "bench", *timed, "--quick", "--output", str(output / "benchmark")]
        steps.append(("benchmark", quick))
    if "pages" not in chosen.without:
        steps.append(("pages", [*python, "report", str(conformance), "--output", str(output / "pages")]))
    rows = []
    for place, (name, command) in enumerate(steps):
        started = time.monotonic()
        kept = chosen.seconds * sum(KEPT[later] for later, _ in steps[place + 1 :])
        said = step(command, last - kept - started, environment, output / f"{name}.log")
        rows.append((name, said, time.monotonic() - started))
        print(f"{name}: {said}, {rows[-1][2]:.0f} s", flush=True)
    (output / "summary.md").write_text(summary(chosen.device, names, backends, rows), encoding="utf-8")
    print(f"{output / 'summary.md'}")
    if pairs and (conformance / "outcomes.jsonl").is_file():
        try:
            text = differences(outcomes(conformance, environment), pairs)
        except Failed as failed:
            print(failed, file=sys.stderr)
            return 1
        (output / "differs.md").write_text(text, encoding="utf-8")
    return 0 if all(names.values()) and all(said == "exit code 0" for _, said, _ in rows) else 1


def devices() -> dict[str, str]:
    """The CUDA device that each framework sees, by name; empty where it is not installed, or sees none."""
    found = {}
    for framework, code in ASKED.items():
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
        found[framework] = done.stdout.strip() if done.returncode == 0 else ""
    return found


def step(command: Sequence[str], seconds: float, environment: dict[str, str], log: Path) -> str:
    """How a command ended, which has so much time; what it wrote is in the log.

    Past its time it is asked to end, so that what it has is written, and then made to.
    """
    if seconds <= 0:
        return "not begun: no time was left"
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment, cwd=ROOT, start_new_session=True
        )
        try:
            for how, patience in ((None, seconds), (signal.SIGINT, 20.0), (signal.SIGKILL, 10.0)):
                if how is not None:
                    os.killpg(process.pid, how)
                try:
                    code = process.wait(patience)
                except subprocess.TimeoutExpired:
                    continue
                return f"exit code {code}" if how is None else "ended: no time was left"
        except BaseException:
            _kill(process)
            raise
    return "does not end"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End what a step started, which is a session of its own and so is not reached by what ends this process."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# -- what came of them ------------------------------------------------------------------------------------------------


def compared(run: Path, first: str, second: str) -> int:
    """Print how two backends of a run differ; 2 where there is no such run, or one of them is not in it."""
    try:
        found = outcomes(run, dict(os.environ))
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 2
    for each in (first, second):
        if each not in found:
            print(f"{each} is not in the run {run}\n  hint: it has {', '.join(sorted(found))}", file=sys.stderr)
            return 2
    sys.stdout.write(differences(found, [(first, second)]))
    return 0


def outcomes(run: Path, environment: dict[str, str]) -> Outcomes:
    """By backend and check, what came of it. Raises Failed where the run cannot be read."""
    columns = ",".join(("backend", *CHECK, *OUTCOME))
    code = (
        "import sys, conformance\n"
        f"frame = conformance.load(sys.argv[1])[{columns.split(',')!r}]\n"
        "frame.to_csv(sys.stdout, index=False)\n"
    )
    command = [sys.executable, "-c", code, str(run.resolve())]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=ROOT)
    if done.returncode:
        raise Failed(
            f"the run {run} cannot be read: {(done.stderr.strip().splitlines() or ['no reason is given'])[-1]}"
        )
    by_backend: Outcomes = {}
    for row in csv.DictReader(done.stdout.splitlines()):
        checks = by_backend.setdefault(row["backend"], {})
        checks[tuple(row[each] for each in CHECK)] = tuple(row[each] for each in OUTCOME)
    return by_backend


def differences(by_backend: Outcomes, pairs: Sequence[tuple[str, str]]) -> str:
    """In Markdown, for each pair of backends: which checks that both made have another verdict or class."""
    lines = ["# What differs", ""]
    for first, second in pairs:
        lines += [f"## {first} and {second}", ""]
        absent = [each for each in (first, second) if each not in by_backend]
        if absent:
            lines += [f"{' and '.join(absent)}: not in the run.", ""]
            continue
        mine, others = by_backend[first], by_backend[second]
        both = [check for check in mine if check in others]
        different = [check for check in both if mine[check] != others[check]]
        lines.append(f"{len(both)} checks of both, {len(different)} with another outcome.")
        if different:
            counts = Counter((mine[each][0], others[each][0]) for each in different)
            lines += ["", _row(first, second, "checks"), "|---|---|---|"]
            lines += [_row(one, other, str(count)) for (one, other), count in counts.most_common()]
            lines += ["", _row(*CHECK, first, second), f"|{'---|' * (len(CHECK) + 2)}"]
            lines += [_row(*each, _said(mine[each]), _said(others[each])) for each in different]
        lines.append("")
    return "\n".join(lines)


def _row(*cells: str) -> str:
    """A row of a table in Markdown, where a bar within a cell would end it."""
    escaped = [each.replace("|", "\\|") for each in cells]
    return f"| {' | '.join(escaped)} |"


def _said(outcome: tuple[str, ...]) -> str:
    return " ".join(filter(None, outcome))


def summary(device: str, names: dict[str, str], backends: Sequence[str], rows: Sequence[tuple[str, str, float]]) -> str:
    """The machine, the versions, and how each step ended."""
    versions = []
    for name in (*names, "numpy"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    lines = [
        f"# {device}: {datetime.now(UTC).date().isoformat()}",
        "",
        *(f"- {framework} sees: {name or 'no device, and is not asked'}" for framework, name in names.items()),
        f"- driver: {_driver()}" if device == "cuda" else "- no GPU was asked",
        f"- machine: {platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        f"- {platform.python_implementation()} {platform.python_version()}, {', '.join(versions)}",
        f"- backends: {', '.join(backends)}",
        "",
        "| step | how it ended | seconds |",
        "|---|---|---|",
        *(_row(name, said, f"{seconds:.0f}") for name, said, seconds in rows),
        "",
    ]
    return "\n".join(lines)


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return json.dumps(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    except (OSError, subprocess.CalledProcessError):
        return "not known"


if __name__ == "__main__":
    sys.exit(main())
