"""A user's own backends, in a file or a module, and every mistake in one."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from conformance.backends import discovery
from conformance.backends.adapters.numpy import Numpy
from conformance.backends.discovery import create, find
from conformance.backends.errors import BrokenBackend, UnknownBackend, UnknownOption
from tests.support.specs import ONE, TWO, require_refused, write


@pytest.fixture(autouse=True)
def _path_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a file goes onto the path: in that of the adapters, mlx.py would be taken for MLX from then on."""
    monkeypatch.setattr(sys, "path", [*sys.path])


class TestFile:
    def test_its_only_class(self, tmp_path: Path) -> None:
        spec = write(tmp_path / "mine.py", ONE)
        assert (find(spec).name, find(spec).source) == ("mine", "file")
        backend = create(spec)
        assert type(backend).__name__ == "Mine" and isinstance(backend, Numpy) and backend.profile == "numpy"

    @pytest.mark.parametrize(
        ("suffix", "kind", "mode"),
        [
            (":Mine", "Mine", "eager"),
            (":Other:fast", "Other", "fast"),
            (":Other:cpu:fast", "Other", "fast"),
            (":ready", "Other", "fast"),
        ],
    )
    def test_one_of_several(self, tmp_path: Path, suffix: str, kind: str, mode: str) -> None:
        backend = create(write(tmp_path / "mine.py", TWO) + suffix)
        assert (type(backend).__name__, backend.mode) == (kind, mode)

    def test_variant_of_its_only_class(self, tmp_path: Path) -> None:
        assert create(write(tmp_path / "mine.py", ONE) + ":fast").mode == "fast"
        require_refused(UnknownOption, f"{tmp_path / 'mine.py'}:fats", "did you mean fast?")

    def test_its_only_instance(self, tmp_path: Path) -> None:
        spec = write(
            tmp_path / "mine.py", "from conformance.backends.adapters.numpy import Numpy\nready = Numpy(threads=5)\n"
        )
        assert create(spec).threads == 5
        require_refused(UnknownOption, spec + ":cpu", "name its class")

    def test_files_next_to_it_can_be_imported_but_shadow_nothing(self, tmp_path: Path) -> None:
        write(tmp_path / "numpy.py", "raise AssertionError('shadowed')")
        write(tmp_path / "kernel_next_door.py", "answer = 42")
        spec = write(tmp_path / "mine.py", "import kernel_next_door\n" + textwrap.dedent(ONE))
        try:
            assert type(create(spec)).__name__ == "Mine"
        finally:
            sys.path.remove(str(tmp_path))

    def test_the_suites_own_file(self) -> None:
        path = Path(discovery.__file__).with_name("adapters") / "numpy.py"
        assert type(create(str(path))).__name__ == "Numpy"

    def test_several_classes(self, tmp_path: Path) -> None:
        require_refused(UnknownBackend, write(tmp_path / "mine.py", TWO), "Mine, Other", "mine.py:Mine")
        require_refused(UnknownBackend, f"{tmp_path / 'mine.py'}:Miine", "Mine, Other", "'Miine'")

    def test_no_class(self, tmp_path: Path) -> None:
        require_refused(
            UnknownBackend,
            write(tmp_path / "mine.py", "from conformance.backends.adapters.numpy import Numpy"),
            "no class derived from",
        )

    def test_an_attribute_that_is_not_a_backend(self, tmp_path: Path) -> None:
        require_refused(UnknownBackend, write(tmp_path / "mine.py", ONE) + ":np", "np is not a Backend", "Mine")

    def test_a_class_with_gaps(self, tmp_path: Path) -> None:
        spec = write(
            tmp_path / "mine.py", "from conformance.backends.contract import Backend\nclass Mine(Backend):\n    pass\n"
        )
        require_refused(BrokenBackend, spec, "Mine lacks array, cross_entropy")

    def test_no_file(self, tmp_path: Path) -> None:
        write(tmp_path / "kernel.py", ONE)
        require_refused(UnknownBackend, str(tmp_path / "kernels.py"), "there is no file", "did you mean", "kernel.py?")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (
                "import no_such_framework",
                ("No module named 'no_such_framework'", "pip install no_such_framework", "mine.py:1"),
            ),
            ("x = 1\ny = (", ("SyntaxError", "mine.py:2")),
            ("x = 1\n\nraise RuntimeError('no driver')", ("RuntimeError: no driver", "mine.py:3")),
            ("import sys\nsys.exit(3)", ("SystemExit: 3", "mine.py:2")),
        ],
    )
    def test_a_failing_import(self, tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
        require_refused(BrokenBackend, write(tmp_path / "mine.py", text), "fails on import", *words)

    def test_a_failing_start(self, tmp_path: Path) -> None:
        text = ONE + "\n        def __init__(self, **options):\n            raise OSError('no device')\n"
        require_refused(
            BrokenBackend, write(tmp_path / "mine.py", text), "cannot be started: OSError: no device", "mine.py:12"
        )


class TestModule:
    def test_class_and_instance(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(tmp_path / "third_party_kernels.py", TWO)
        monkeypatch.syspath_prepend(str(tmp_path))
        assert find("third_party_kernels:Other").source == "module"
        assert "third_party_kernels" not in sys.modules
        assert type(create("third_party_kernels:Other")).__name__ == "Other"
        assert create("third_party_kernels:Mine:fast").mode == "fast"
        assert create("third_party_kernels:ready").mode == "fast"
        require_refused(UnknownBackend, "third_party_kernels:None_such", "does not exist", "Mine, Other")

    def test_no_module(self) -> None:
        require_refused(UnknownBackend, "no_such_package.module:Thing", "there is no backend")
        require_refused(
            BrokenBackend,
            "conformance.backends.no_such_module:Thing",
            "No module named 'conformance.backends.no_such_module'",
        )
