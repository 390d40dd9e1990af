"""A small case whose transforms are judged, and what is said of them."""

from __future__ import annotations

from pathlib import Path

from conformance.backends.contract import Backend
from conformance.cases.load import Entry, load_suite
from conformance.model.case import TRANSFORMS
from conformance.model.outcome import Outcome
from conformance.profiles.profile import Declared, Profile
from conformance.profiles.subject import Subject
from conformance.run.judged import judged

__all__ = ["ALL", "entries", "outcomes", "verdicts"]

CASE = """
theme: transforms
cases:
  - id: a-case
    why: small
    op: cross_entropy
    logits: [[1, 2, 0.5], [0, -1, 3]]
    targets: [1, 0]
    dtypes: [float32]
"""
#: What a test asks for that does not say.
ALL = "transforms: [forward-mode, second-order, vectorised-map]"


def entries(tmp_path: Path, more: str = ALL) -> list[Entry]:
    """The case with ``more`` keys; targets among them stand first."""
    (tmp_path / "notes.yaml").write_text("flags: {}\n")
    case = CASE.replace("    targets: [1, 0]\n", "") if more.startswith("targets:") else CASE
    (tmp_path / "case.yaml").write_text(case + f"    {more}\n")
    return list(load_suite([tmp_path]).entries)


def outcomes(tmp_path: Path, backend: Backend, more: str = ALL, **policies: str) -> list[Outcome]:
    """What is said of the transforms of a backend that declares ``policies``."""
    declared = {name: Declared(value=value, documentation="undocumented") for name, value in policies.items()}
    subject = Subject("kernel", profile=Profile(backend="kernel", policies=declared))
    found = judged(backend, entries(tmp_path, more), subject=subject)
    return [outcome for unit in found for outcome in unit if outcome.check in TRANSFORMS]


def verdicts(found: list[Outcome], check: str) -> set[str]:
    """Those of one check."""
    return {outcome.verdict for outcome in found if outcome.check == check}
