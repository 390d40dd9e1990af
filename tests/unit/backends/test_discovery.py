"""Every form of a spec finds its backend, and every mistake in one is reported with its hint."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.backends import discovery
from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Backend
from conformance.backends.discovery import create, find, installed, names, profile, variables
from conformance.backends.errors import BrokenBackend, FrameworkMissing, UnknownBackend, UnknownOption
from tests.support.specs import require_refused, write


def without(monkeypatch: pytest.MonkeyPatch, framework: str) -> None:
    known = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, package=None: None if name == framework else known(name, package)
    )


class TestPackage:
    def test_name(self) -> None:
        found = find("numpy")
        assert (found.name, found.framework, found.profile, found.source) == ("numpy", "numpy", "numpy", "package")
        assert isinstance(create("numpy"), Numpy)

    @pytest.mark.parametrize(
        ("spec", "name"),
        [
            ("torch", "torch"),
            ("torch:cpu", "torch"),
            ("torch:eager:cpu", "torch"),
            ("torch:compile", "torch:compile"),
            ("torch:module:cuda", "torch:cuda:module"),
            ("torch:module:compile:cuda", "torch:cuda:compile:module"),
            ("jax:eager", "jax:eager"),
            ("jax:logsumexp", "jax:logsumexp"),
            ("jax:one-hot:eager", "jax:eager:one-hot"),
            ("optax:safe", "optax:safe"),
            ("optax:eager", "optax:eager"),
            ("tensorflow:graph", "tensorflow:graph"),
            ("tensorflow:cuda:xla", "tensorflow:cuda:xla"),
        ],
    )
    def test_options_in_any_order_give_one_name(self, spec: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
        found = find(spec)
        assert (found.name, found.base, found.spec) == (name, name.partition(":")[0], spec)

    def test_options_reach_the_backend(self) -> None:
        backend = create("numpy:cpu:eager", threads=3)
        assert (backend.device, backend.mode, backend.execution, backend.threads) == ("cpu", "eager", "eager", 3)

    @pytest.mark.parametrize("spec", ["numpy:cuda", "numpy:", "numpy:cpu:eager:x"])
    def test_unknown_option(self, spec: str) -> None:
        require_refused(UnknownOption, spec, "NumPy has no ", "Devices: cpu; executions: eager")

    @pytest.mark.parametrize(
        ("spec", "words"),
        [
            ("numpy:eager:eager", "a second execution beside 'eager'"),
            ("numpy:cpu:cpu", "a second device beside 'cpu'"),
            ("jax:logsumexp:one-hot", "a second composition beside 'logsumexp'"),
        ],
    )
    def test_two_words_for_one_option(self, spec: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
        with pytest.raises(UnknownOption, match=words):
            find(spec)

    @pytest.mark.parametrize("spec", ["torch:gpu", "jax:gpu", "optax:gpu", "tensorflow:gpu"])
    def test_nvidias_device_is_cuda_in_every_framework(self, spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
        with pytest.raises(UnknownOption, match="did you mean cuda"):
            find(spec)

    @pytest.mark.parametrize("name", names())
    def test_no_word_stands_for_two_options(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
        options = find(name).options
        assert options is not None
        words = [word for known in options.values() for word in known]
        assert len({*words}) == len(words)

    def test_unknown_name_with_a_suggestion(self) -> None:
        require_refused(UnknownBackend, "numpi", "did you mean numpy?", "path/to/file.py")
        require_refused(UnknownBackend, "", "Write one of jax, ")

    def test_framework_that_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        without(monkeypatch, "torch")
        require_refused(FrameworkMissing, "torch", "PyTorch is not installed", "pip install torch")
        assert not [found for found in installed() if found.framework == "torch"]

    def test_an_engine_that_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("keras")
        without(monkeypatch, "torch")
        require_refused(FrameworkMissing, "keras_torch", "Keras on PyTorch is not installed", "keras torch")
        assert find("keras_numpy").base == "keras_numpy"  # the other engines are there

    def test_installed_shows_the_profiles_variants(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
        shown = [found.spec for found in installed() if found.source == "package"]
        assert shown == sorted(shown)
        assert {"jax", "jax:logsumexp", "numpy", "optax", "optax:safe", "tensorflow", "torch"} < {*shown}
        timed = [found.spec for found in installed(key="benchmarks") if found.source == "package"]
        assert {"jax:eager", "torch:compile", "tensorflow:xla", "numpy"} <= set(timed)

    def test_what_is_asked_at_every_start_stands_before_the_policies(self) -> None:
        long = {"policies", "classes", "known"}
        for name in names():
            assert discovery.head(name) == {key: each for key, each in profile(name).items() if key not in long}

    def test_where_the_framework_is_missing_the_adapter_is_not_imported(self) -> None:
        code = """
            import importlib.util, sys
            from conformance.backends.discovery import installed
            there = importlib.util.find_spec
            importlib.util.find_spec = lambda name: None if name == "keras" else there(name)
            installed()
            print([name for name in sys.modules if "keras" in name])
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"

    def test_variables_are_those_of_every_framework_installed_or_not(self) -> None:
        assert {"JAX", "TORCH", "TF_XLA_"} <= set(variables()) and "TF_" not in variables()

    @pytest.mark.framework
    def test_a_framework_that_fails_on_import(self, tmp_path: Path) -> None:
        write(tmp_path / "optax.py", "raise ImportError('libfoo.so.3 is missing')")
        code = (
            "from conformance.backends.discovery import create\n"
            "try: create('optax')\nexcept LookupError as e: print(repr(e), e)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}
        )
        assert "BrokenBackend" in done.stdout and "libfoo.so.3 is missing" in done.stdout, done.stderr

    def test_an_adapter_names_its_profile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for wrong in ("", "jax"):
            monkeypatch.setattr(Numpy, "profile", wrong)
            require_refused(BrokenBackend, "numpy", "Numpy does not name its profile", 'write `profile = "numpy"`')

    def test_nothing_is_imported_before_it_is_needed(self) -> None:
        code = """
            import sys
            from conformance.backends.discovery import find, installed
            installed()
            find("numpy")
            print(sorted({"torch", "jax", "tensorflow", "optax", "pandas", "ml_dtypes"} & set(sys.modules)))
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


class TestEntryPoint:
    @pytest.fixture(autouse=True)
    def _point(self, monkeypatch: pytest.MonkeyPatch) -> None:
        point = importlib.metadata.EntryPoint("vendor", "conformance.backends.numpy:Numpy", discovery.GROUP)
        monkeypatch.setattr(
            "importlib.metadata.entry_points", lambda group: [point] if group == discovery.GROUP else []
        )

    def test_found_and_created(self) -> None:
        assert (find("vendor").source, find("vendor").name) == ("entry point", "vendor")
        assert isinstance(create("vendor"), Numpy)
        assert create("vendor:eager").mode == "eager"
        assert "vendor" in [found.spec for found in installed()]
        require_refused(UnknownBackend, "vendr", "did you mean vendor?")


#: The policies of an operation that a library need not have.
OF_LOG_LOSS = {"probability-clipping", "clipped-ends", "unnormalised-predictions"}
#: Those of mixed precision: a profile without them says that there is none, and who has it all the same fails.
OF_MIXED_PRECISION = {"half-type-result"}


class TestProfiles:
    @pytest.mark.parametrize("name", names())
    def test_every_profile_is_complete(self, name: str) -> None:
        declared, reference = profile(name), profile("numpy")
        assert declared["backend"] == name and set(declared) - {"dtypes"} == set(reference)
        assert set(declared["operations"]) | {"log_loss"} == set(reference["operations"])
        assert set(declared["policies"]) | OF_LOG_LOSS | OF_MIXED_PRECISION == set(reference["policies"])
        for policy, entry in declared["policies"].items():
            assert entry["documentation"] == "undocumented" or entry["documentation"].startswith("https://"), policy
            assert (
                set(entry) <= {"value", "documentation", "note", "variants", "exceptions"}
                and entry["value"] is not None
            )
        for entry in declared["operations"].values():
            assert entry["support"] in ("native", "composed", "unsupported")
            assert entry["documentation"].startswith("https://")
        assert set(declared["features"].values()) <= {"native", "composed", "unsupported"}

    @pytest.mark.parametrize("name", names())
    def test_its_variants_exist(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
        variants = [
            *profile(name)["variants"],
            *profile(name)["benchmarks"],
            *(v for p in profile(name)["policies"].values() for v in p.get("variants", [])),
        ]
        for variant in variants:
            assert variant == "default" or find(f"{name}:{variant}").name == f"{name}:{variant}"

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        monkeypatch.setattr(discovery, "PROFILES", tmp_path)
        for cached in (names, profile, discovery.head):
            cached.cache_clear()
        yield tmp_path
        for cached in (names, profile, discovery.head):
            cached.cache_clear()

    def test_what_a_short_one_does_not_name_has_the_backends_name(self, folder: Path) -> None:
        write(folder / "numpy.yaml", "backend: numpy")
        assert {key: profile("numpy")[key] for key in ("title", "framework", "distribution")} == {
            "title": "numpy", "framework": "numpy", "distribution": "numpy"
        }  # fmt: skip
        assert [each.name for each in installed()] == ["numpy"]

    def test_a_framework_that_is_not_a_word(self, folder: Path) -> None:
        write(folder / "numpy.yaml", "backend: numpy\nframework: [numpy]")
        error = require_refused(BrokenBackend, "numpy", "framework is not a word")
        assert error.hint == "write `framework: numpy`, or leave it out"

    def test_one_without_an_adapter(self, folder: Path) -> None:
        write(folder / "json.yaml", "backend: json")
        error = require_refused(BrokenBackend, "json", "No module named 'conformance.backends.adapters.json'")
        assert error.hint.endswith("adapters/json.py, or correct its name")

    def test_unknown_profile(self) -> None:
        with pytest.raises(UnknownBackend, match=r"no\.such"):
            profile("no.such")


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(UnknownBackend("what", "do this")))
    assert (error.problem, error.hint, str(error)) == ("what", "do this", "what\n  hint: do this")


def test_a_backend_needs_every_operation() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Backend()  # type: ignore[abstract]
