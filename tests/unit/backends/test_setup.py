"""What a class receives before its framework is imported, however its ``prepare`` is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.backends.contract import Setup
from conformance.backends.discovery import create, find
from conformance.backends.errors import UnknownOption
from conformance.run.judged import open_backend

TEXT = """
from conformance.backends.adapters.numpy import Numpy
from conformance.backends.runtimes.numpy import NumpyRuntime

class Runtime(NumpyRuntime):
    executions = ("eager", "jit")
    precisions = ("x32",)
    rank_counts = ("2-ranks",)
    received = []

    def __init__(self, *, precision, ranks="", **usual):
        super().__init__(**usual)
        self.made_with = precision, ranks

    @classmethod
    def prepare(cls, setup):
        cls.received.append(setup)
        super().prepare(setup)

class Mine(Numpy):
    runs_on = Runtime
    executions = ("eager", "jit", "own")
    compositions = ("fused",)
    memory_formats = ("channels-last",)
"""
FORMER = """
class Former(Runtime):
    @classmethod
    def prepare(cls, PARAMETERS):
        cls.former = {**locals(), **locals().get("options", {})}["threads"]
        super().prepare(FURTHER)

class Mine(Numpy):
    runs_on = Former

    @classmethod
    def prepare(cls, PARAMETERS):
        super().prepare(FURTHER)
"""
FORMER_RUNTIME = """
from conformance.backends.adapters.MODULE import NAME
from conformance.backends.runtimes.MODULE import NAMERuntime

class Runtime(NAMERuntime):
    executions = ("eager",)

    def __init__(self, *, device, execution, threads):
        super().__init__(device=device, execution=execution, threads=threads)
        self.made_with = device, execution, threads

class Mine(NAME):
    runs_on = Runtime
"""


def written(folder: Path, text: str = TEXT) -> str:
    (folder / "mine.py").write_text(text, encoding="utf-8")
    return f"{folder / 'mine.py'}:Mine"


def started(spec: str, cache: Path | None = None) -> tuple[Any, list[Any]]:
    made: Any = create(spec, threads=3, cache=cache)
    return made, made.runtime.received


def test_a_runtime_receives_threads_cache_and_every_option(tmp_path: Path) -> None:
    spec = written(tmp_path)
    _, (plain,) = started(spec)
    assert plain == Setup(spec=spec, threads=3, device="cpu", execution="eager")
    whole = f"{spec}:2-ranks:x32:jit:channels-last:fused"
    made, (setup,) = started(whole, tmp_path)
    assert setup == Setup(
        spec=whole, threads=3, cache=tmp_path, device="cpu", execution="jit", composition="fused", precision="x32",
        memory="channels-last", ranks="2-ranks",
    )  # fmt: skip
    assert made.runtime.made_with == ("x32", "2-ranks")
    assert (made.precision, made.memory_format, made.ranks) == ("x32", "channels-last", "2-ranks")


def test_an_execution_of_the_adapter_alone_is_not_one_of_the_runtime(tmp_path: Path) -> None:
    made, (setup,) = started(written(tmp_path) + ":own")
    assert (made.execution, setup.execution) == ("own", "eager")


@pytest.mark.parametrize(
    ("parameters", "further", "given"),
    [
        ("*, threads, cache=None", "threads=threads, cache=cache", True),
        ("*, threads", "threads=threads", False),
        ("*, threads, **rest", "threads=threads, **rest", True),
        ("**options", "**options", True),
    ],
)
def test_a_prepare_that_is_written_as_it_was_is_called_and_calls_as_it_did(
    tmp_path: Path, parameters: str, further: str, given: bool
) -> None:
    """Whether the parent's is written as it was or as it is."""
    made, received = started(
        written(tmp_path, TEXT + FORMER.replace("PARAMETERS", parameters).replace("FURTHER", further)), tmp_path
    )
    assert made.runtime.former == 3 and received == [Setup(threads=3, cache=tmp_path if given else None)]


@pytest.mark.framework
@pytest.mark.parametrize(("module", "name"), [("torch", "Torch"), ("jax", "Jax")])
def test_a_runtime_that_is_written_as_it_was_is_made_without_further_options(
    tmp_path: Path, module: str, name: str
) -> None:
    pytest.importorskip(module)
    text = FORMER_RUNTIME.replace("MODULE", module).replace("NAME", name)
    assert create(written(tmp_path, text)).runtime.made_with == ("cpu", "eager", 1)  # type: ignore[attr-defined]


def test_further_options_have_words_names_and_an_identity(tmp_path: Path) -> None:
    spec = written(tmp_path)
    with pytest.raises(UnknownOption, match="'4-ranks'") as refused:
        create(f"{spec}:4-ranks")
    assert "memory formats: channels-last; rank counts: 2-ranks" in refused.value.hint
    with open_backend(f"{spec}:2-ranks:channels-last") as opened:
        identity = opened.subject.id
    assert (identity.memory, identity.ranks, identity.precision) == ("channels-last", "2-ranks", "")
    assert identity.how == "eager, channels-last, 2-ranks"
    assert identity.words == ("cpu", "eager", "", "", "channels-last", "2-ranks")
    assert find("numpy").options == {
        "device": ("cpu",), "execution": ("eager",), "composition": (), "precision": (), "memory": (), "ranks": (),
    }  # fmt: skip
