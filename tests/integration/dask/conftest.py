"""A scheduler, workers for it, and cases whose outcomes with the inline executor are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from conformance.cases.load import Entry, load_suite
from tests.support.fleet import TERMS, Conducted, Workers, scheduler
from tests.support.inline import InlineExecutor


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with scheduler(tmp_path_factory.mktemp("scheduler")) as (found, _):
        yield found


@pytest.fixture
def workers(address: str, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(address, tmp_path)
    yield made
    made.end()


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six of them, and less time for their answers."""
    monkeypatch.setattr("conformance.run.plan.MOST", 0.1)
    monkeypatch.setattr("conformance.run.executors.dask.executor.FETCH", 3.0)


@pytest.fixture(scope="session")
def entries(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Entry]:
    case = "- {{id: case-{n}, why: w, op: softmax, logits: [[{n}, 1.5]], dtypes: [float32, float16]}}\n"
    file = tmp_path_factory.mktemp("cases") / "cases.yaml"
    file.write_text("theme: numbered\ncases:\n" + "".join(case.format(n=n) for n in range(96)))
    return load_suite([file]).entries


@pytest.fixture(scope="session")
def inline(entries: Sequence[Entry]) -> list[bytes]:
    return Conducted(["numpy"], entries, InlineExecutor(TERMS)).compared
