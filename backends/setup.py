"""What was chosen of a backend, as its class receives it before the framework is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OPTIONS", "Setup", "chosen"]

#: Each option, and the attribute of a backend's class that lists its words.
OPTIONS: Mapping[str, str] = {
    "device": "devices",
    "execution": "executions",
    "composition": "compositions",
    "precision": "precisions",
    "memory": "memory_formats",
    "ranks": "rank_counts",
}
#: Those whose first word is the default. Of the others, nothing is chosen by default.
WITH_DEFAULT = ("device", "execution")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What :meth:`Backend.prepare` may have to put into the environment, where the library reads it on import.

    ``spec`` is what names the backend: another process makes the same one of it. ``threads`` of each of the library's
    pools. ``cache`` is a folder for what it compiles and may keep; it goes with the run, so that no result comes from a
    compiler of yesterday; without one nothing is kept. The rest are the words of the options: ``device``,
    ``execution`` (how functions are run), ``composition`` (which documented function is called), ``precision`` (other
    arithmetic than the default), ``memory`` (how tensors lie), ``ranks`` (over how many processes or devices the
    classes are divided); the latter four are empty for the default.
    """

    spec: str = ""
    threads: int = 1
    cache: Path | None = None
    device: str = ""
    execution: str = ""
    composition: str = ""
    precision: str = ""
    memory: str = ""
    ranks: str = ""


def chosen(options: Mapping[str, Sequence[str]], words: Sequence[str]) -> dict[str, str]:
    """The word of each option of ``options``, which has those of all, that is among ``words``; else the default one."""
    found = {option: next((word for word in words if word in known), "") for option, known in options.items()}
    return found | {option: found.get(option) or options[option][0] for option in WITH_DEFAULT}
