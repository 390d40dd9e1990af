"""The modules' former names stand for the same modules, wherever a user's file lies and whatever lies beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
#: What files of users have imported so far.
FORMER = (
    "from backends.numpy import Numpy",
    "from backends.adapters.numpy import Numpy",
    "from conformance.backends.numpy import Numpy",
    "from conformance.backends.adapters.numpy import Numpy",
    "import backends.numpy; Numpy = backends.numpy.Numpy",
    "import conformance.backends.numpy as former; Numpy = former.Numpy",
    "from backends.torch import Torch; from backends.numpy import Numpy",
    "from backends.jax import Jax; from backends.optax import Optax; from backends.numpy import Numpy",
    "from backends.tensorflow import TensorFlow; from backends.numpy import Numpy",
    "from conformance.backends.torch import Torch; from conformance.backends.numpy import Numpy",
)
CONTRACT = (
    "from backends.contract import Backend, Call, Unsupported",
    "from conformance.backends.contract import Backend, Call, Unsupported",
)
CREATE = """
    import sys
    from conformance.backends.discovery import create
    backend = create(sys.argv[1])
    from conformance.backends.adapters.numpy import Numpy
    from conformance.backends.contract import Backend, Call, Unsupported
    module = sys.modules[type(backend).__module__]
    assert isinstance(backend, Numpy) and module.Numpy is Numpy, Numpy
    assert (module.Backend, module.Call, module.Unsupported) == (Backend, Call, Unsupported)
    assert module.Numpy.__module__ == "conformance.backends.adapters.numpy"
    spec = sys.modules["conformance.backends.adapters.numpy"].__spec__
    assert spec.name == "conformance.backends.adapters.numpy", spec
    print(type(backend).__name__, module.MORE)
"""


def created(file: Path, folder: Path, path: str) -> str:
    """What a process of its own prints that creates the backend of ``file``."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CREATE), str(file)],
        capture_output=True, text=True, cwd=folder, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def kernel(folder: Path, *imports: str) -> Path:
    file = folder / "mine.py"
    text = "\n".join([*imports, "class Mine(Numpy):", "    pass"])
    file.write_text(text if "MORE" in text else f"MORE = 0\n{text}", encoding="utf-8")
    return file


@pytest.mark.parametrize("contract", CONTRACT)
@pytest.mark.parametrize("line", FORMER)
def test_a_file_of_a_user_imports_the_very_classes(line: str, contract: str, tmp_path: Path) -> None:
    assert created(kernel(tmp_path, contract, line), tmp_path, str(ROOT)) == "Mine 0"


@pytest.mark.parametrize("line", FORMER[:3])
def test_a_checkouts_own_folder_gives_no_second_copy(line: str, tmp_path: Path) -> None:
    assert created(kernel(tmp_path, CONTRACT[0], line), ROOT, "") == "Mine 0"  # ``-c`` has the folder on the path


def test_the_top_folder_of_a_checkout_is_the_same_package() -> None:
    code = "import backends.torch, conformance.backends.adapters.torch as t; assert backends.torch is t"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": ""})
    assert ran.returncode == 0


@pytest.mark.parametrize("cwd", ["its folder", "checkout"])
def test_a_package_of_the_users_own_wins_and_breaks_nothing(cwd: str, tmp_path: Path) -> None:
    package = tmp_path / "backends"
    package.mkdir()
    (package / "__init__.py").write_text("own = 41\n", encoding="utf-8")
    (package / "torch.py").write_text("more = 1\n", encoding="utf-8")
    (package / "contract.py").write_text("more = 2\n", encoding="utf-8")
    lines = (
        CONTRACT[1],
        "from conformance.backends.numpy import Numpy",
        "import backends, backends.torch, backends.contract",
        "MORE = backends.own + backends.torch.more + backends.contract.more",
    )
    folder = tmp_path if cwd == "its folder" else ROOT
    assert created(kernel(tmp_path, *lines), folder, str(ROOT)) == "Mine 44"


def test_a_folder_of_that_name_that_is_not_a_package_is_searched_too(tmp_path: Path) -> None:
    folder = tmp_path / "backends"
    folder.mkdir()
    (folder / "helper.py").write_text("more = 7\n", encoding="utf-8")
    lines = (CONTRACT[0], FORMER[0], "from backends.helper import more as MORE")
    assert created(kernel(tmp_path, *lines), tmp_path, str(ROOT)) == "Mine 7"


def test_what_does_not_exist_is_said_by_the_name_that_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from backends.nothing import Numpy\n", encoding="utf-8")
    code = "import sys; from conformance.backends.discovery import create; create(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "No module named 'backends.nothing'" in done.stderr
