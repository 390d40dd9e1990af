"""Build the sdist and from it the wheel, install the wheel elsewhere, and use it from a folder without a checkout.

``python tests/installed.py`` needs the package ``build``; it takes about half a minute, with NumPy alone. Packages
called ``backends`` and ``reports`` stand in the environment, and folders of these names in the working folder: the
suite must neither break them nor be broken by them.
"""

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("backends", "reports")
KERNEL = '''
from conformance.backends.adapters.numpy import Numpy


class Mine(Numpy):
    """A kernel of a user's own."""
'''
USES = """
import backends, reports, conformance
from conformance.backends.numpy import Numpy
from conformance.reports import merge

assert backends.VALUE == "backends", backends
assert reports.VALUE == "reports", reports
assert "site-packages" in conformance.__file__, conformance.__file__
assert set(conformance.load("run")["backend"]) == {"numpy"}
"""
#: Commands that exit with 0, each with a text that its output has.
COMMANDS = (
    (("conformance", "--version"), "0."),
    (("conformance", "list", "backends"), "numpy"),
    (("conformance", "list", "themes"), "worked-examples"),
    (("conformance", "lint"), ""),
    (("conformance", "explain", "probabilities-are-read-as-logits", "-b", "numpy"), "the exact result"),
    (("conformance", "smoke", "-b", "mine.py"), ""),
    (("conformance", "run", "-b", "numpy", "-k", "worked-examples", "--output", "run"), "worked-examples"),
    (("conformance", "run", "--quick", "-b", "mine.py", "--dtype", "float32"), "pass"),
    (("conformance", "report", "run", "--output", "report"), ""),
    (("conformance", "diff", "run", "run"), ""),
    (("conformance", "repro", "two-equal-logits-at-1e8", "-b", "numpy"), "import numpy"),
    (("python", "-m", "conformance", "list", "verdicts"), "deviation"),
    (("python", "uses.py"), ""),
)
BENCH = ("conformance", "bench", "-b", "numpy", "-k", "latency-1x10", "--replicates", "1")
#: Those that need the extra `bench`, which brings pytest.
WITH_EXTRA = (
    (BENCH, "numpy"),
    (("pytest", "--conformance-backend", "numpy", "--pyargs", "conformance", "-m", "worked-examples"), "passed"),
)


def main() -> None:
    """Build, install, run; a failed step ends it with exit code 1 and the step's output."""
    with tempfile.TemporaryDirectory(prefix="installed-") as name:
        folder = Path(name)
        built = folder / "dist"
        sh(sys.executable, "-m", "build", "--outdir", built, ROOT)  # the wheel comes from the sdist
        (wheel,) = built.glob("*.whl")
        check_contents(wheel)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        sh(*install, wheel)
        (site,) = (folder / "venv" / "lib").glob("python3.*/site-packages")
        work = folder / "work"
        for each in NAMES:
            package(site / each, each)
            package(work / each, each)
        (work / "mine.py").write_text(KERNEL)
        (work / "uses.py").write_text(USES)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST"))}
        environment["PATH"] = os.pathsep.join((str(python.parent), environment["PATH"]))
        for command, text in COMMANDS:
            use(command, text, work, environment)
        use(BENCH, "hint: install the extra: pip install 'cross-entropy-conformance[bench]'", work, environment, code=2)
        sh(*install, f"{wheel}[bench]")
        for command, text in WITH_EXTRA:
            use(command, text, work, environment)
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, installed and used")


def use(command: tuple[str, ...], text: str, work: Path, environment: dict[str, str], *, code: int = 0) -> None:
    """Run a command as a user does; ends with its output unless it exits with ``code`` and says ``text``."""
    ran = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if ran.returncode != code or text not in ran.stdout + ran.stderr:
        sys.exit(f"{' '.join(command)}: exit code {ran.returncode}\n{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}")
    print("ok:", *command)


def sh(*command: object) -> None:
    """Run a command quietly; print its output where it fails."""
    ran = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{ran.stdout}\n{ran.stderr}")


def package(folder: Path, value: str) -> None:
    """A package that knows its name, and nothing of the suite."""
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(f"VALUE = {value!r}\n")


def check_contents(wheel: Path) -> None:
    """One name at the top, and below it all that code reads."""
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"conformance"}, top
    assert not [name for name in names if "/published/" in name], "a published run is in the wheel"
    for tracked in (*ROOT.glob("cases/**/*"), *ROOT.glob("backends/**/*.yaml"), *ROOT.glob("reports/site/**/*")):
        if tracked.is_file() and tracked.suffix != ".pyc":
            path = tracked.relative_to(ROOT).as_posix()
            prefix = "conformance/_data/" if path.startswith("cases/") else "conformance/"
            assert prefix + path in names, f"{path} is not in the wheel"


if __name__ == "__main__":
    main()
