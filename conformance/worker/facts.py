"""What a backend says of itself, asked once and checked, so that no result holds what its readers cannot read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.backends.contract import Backend
from conformance.backends.discovery import BrokenBackend
from conformance.worker.wire import clean

__all__ = ["Facts", "facts_of"]

WORD = "a text of one line"


@dataclass(frozen=True)
class Facts:
    """The backend's own words: ``versions`` by distribution, ``settings`` by name; ``profile`` is empty for none."""

    framework: str
    versions: dict[str, str]
    device: str
    mode: str
    execution: str
    composition: str
    precision: str
    settings: dict[str, str]
    profile: str


def facts_of(backend: Backend) -> Facts:
    """Ask a backend; raises :class:`BrokenBackend`, which names the attribute, where an answer is not of its kind.

    Texts are plain, cut, and can be encoded, whatever the backend's own are.
    """
    return Facts(
        framework=_word(backend, "framework", backend.framework),
        versions=_words(backend, "versions"),
        device=_word(backend, "device", backend.device),
        mode=_word(backend, "mode", backend.mode),
        # A class that does not call the contract's __init__ has its mode alone.
        execution=_word(backend, "execution", getattr(backend, "execution", backend.mode)),
        composition=_word(backend, "composition", getattr(backend, "composition", "")),
        precision=_word(backend, "precision", getattr(backend, "precision", "")),
        settings=_words(backend, "settings"),
        profile=_word(backend, "profile", getattr(backend, "profile", None) or ""),
    )


def _word(backend: Backend, name: str, said: Any) -> str:
    if isinstance(said, str) and "\n" not in (word := clean(said)):
        return word
    raise _broken(backend, name, WORD, said)


def _words(backend: Backend, name: str) -> dict[str, str]:
    """Numbers become text: a thread count or a switch is one by nature."""
    said = getattr(backend, name)()
    if isinstance(said, Mapping):
        pairs = {key: str(word) if isinstance(word, (bool, int, float)) else word for key, word in said.items()}
        if all(isinstance(word, str) for pair in pairs.items() for word in pair):
            cleaned = {clean(key): clean(word) for key, word in pairs.items()}
            if not any("\n" in word for pair in cleaned.items() for word in pair):
                return cleaned
    raise _broken(backend, f"{name}()", "a mapping of names to texts of one line", said)


def _broken(backend: Backend, name: str, kind: str, said: Any) -> BrokenBackend:
    owner = type(backend).__qualname__
    return BrokenBackend(
        f"{owner}.{name} is {_shown(said)}, and must be {kind}",
        f"let {name} of {owner} be {kind}, as backends/contract.py describes it",
    )


def _shown(said: Any) -> str:
    try:
        return repr(said)[:80]
    except Exception:
        return f"a {type(said).__name__}"
