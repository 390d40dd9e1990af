"""What a backend is: its own words, asked once and checked, and where its code lies.

No result holds what its readers cannot read. Importing this module imports no NumPy.
"""

from __future__ import annotations

import sys
from abc import ABC, ABCMeta
from collections.abc import Iterator, Mapping
from types import GetSetDescriptorType
from typing import TYPE_CHECKING, Any

from conformance.worker import wire
from conformance.worker.faults import adapter_classes, adapter_files
from conformance.worker.wire import Described, clean

if TYPE_CHECKING:
    from conformance.backends.contract import Backend
    from conformance.backends.errors import BrokenBackend

__all__ = ["describe"]

WORD = "a text of one line"
MOST_WORDS = 200  # every record of a run and every page holds them
OPERATIONS = ("softmax", "log_softmax", "nll_loss", "cross_entropy", "nll_loss_of_log_softmax", "log_loss")


def describe(backend: Backend, nonce: int = 0) -> Described:
    """Ask a backend; raises :class:`BrokenBackend`, which names the attribute, where an answer is not of its kind.

    Texts are plain, cut, and can be encoded, whatever the backend's own are.
    """
    kind = type(backend)
    return Described(
        nonce=nonce,
        framework=_word(backend, "framework", backend.framework),
        versions=_words(backend, "versions"),
        device=_word(backend, "device", backend.device),
        mode=_word(backend, "mode", backend.mode),
        options=(
            # A class that does not call the contract's __init__ has its mode alone.
            _word(backend, "execution", getattr(backend, "execution", backend.mode)),
            _word(backend, "composition", backend.composition),
            _word(backend, "precision", backend.precision),
            _word(backend, "memory_format", backend.memory_format),
            _word(backend, "ranks", backend.ranks),
        ),
        settings=_words(backend, "settings"),
        profile=_word(backend, "profile", getattr(backend, "profile", None) or ""),
        compiles=bool(backend.compiles),
        classes=tuple(_class_place(each) for each in adapter_classes(kind)),
        methods={name: place for name in OPERATIONS if (place := _code_place(backend, name)) is not None},
        files=tuple(map(clean, adapter_files(kind))),
        shared=tuple(dict.fromkeys(map(clean, _shared_files(backend)))),
        lacks=(*(clean(name) for name, said in _offers(backend).items() if said == "unsupported"), *_not_there(kind)),
        offers={clean(name): clean(said) for name, said in _operations(backend).items()},
    )


def _not_there(kind: type[Backend]) -> Iterator[str]:
    """The operations that a backend leaves as the contract has them: it is not asked for these."""
    from conformance.backends.contract import Backend as Contract

    if kind.log_loss is Contract.log_loss:
        yield "log_loss"


def _offers(backend: Backend) -> dict[str, Any]:
    return dict(getattr(getattr(backend, "offers", None), "__dict__", {}))


def _operations(backend: Backend) -> dict[str, str]:
    """How each operation is offered, as far as the adapter says so in words."""
    said = _offers(backend).get("operations")
    named = said.items() if type(said) is dict else ()
    return {name: word for name, word in named if name in OPERATIONS and type(word) is str}


def _word(backend: Backend, name: str, said: Any) -> str:
    if isinstance(said, str) and "\n" not in (word := clean(said)):
        return word
    raise _broken(backend, name, WORD, said)


def _words(backend: Backend, name: str) -> dict[str, str]:
    """Numbers become text: a thread count or a switch is one by nature."""
    said = getattr(backend, name)()
    if isinstance(said, Mapping) and len(said) <= MOST_WORDS:
        pairs = {key: str(word) if isinstance(word, (bool, int, float)) else word for key, word in said.items()}
        if all(isinstance(word, str) for pair in pairs.items() for word in pair):
            cleaned = {clean(key): clean(word) for key, word in pairs.items()}
            if not any("\n" in word for pair in cleaned.items() for word in pair):
                return cleaned
    raise _broken(backend, f"{name}()", f"a mapping of names to texts of one line, {MOST_WORDS} at most", said)


def _broken(backend: Backend, name: str, kind: str, said: Any) -> BrokenBackend:
    from conformance.backends.errors import BrokenBackend

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


# -- where its code lies ----------------------------------------------------------------------------------------------


def _class_place(kind: type) -> wire.ClassPlace:
    defines = tuple(name for name in OPERATIONS if name in vars(kind))
    return wire.ClassPlace(clean(kind.__module__), clean(kind.__qualname__), clean(_file(kind)), defines)


def _file(kind: type) -> str:
    return getattr(sys.modules.get(kind.__module__), "__file__", None) or ""


def _shared_files(backend: Backend) -> Iterator[str]:
    """The files of whatever may have a part in every result: all code of the backend and its runtime but operations.

    A file is empty where it is not known, as that of a function set on an instance.
    """
    kind, runtime = type(backend), vars(backend).get("runtime")
    makes: list[type] = [kind, type(kind), getattr(kind, "runs_on", object)]
    classes = [each for one in makes for each in one.__mro__]
    for owner in (backend, *(() if runtime is None else (runtime,))):
        for value in getattr(owner, "__dict__", {}).values():
            if not _is_plain(value):
                classes += type(value).__mro__
    for each in dict.fromkeys(classes):
        if each in (object, type, ABC, ABCMeta):
            continue
        for name, member in vars(each).items():
            if name in OPERATIONS or name in UNREAD or _is_plain(member):
                continue
            yield _file(each)
            code = getattr(getattr(member, "__func__", getattr(member, "fget", member)), "__code__", None)
            if code is not None:
                yield code.co_filename


#: What Python itself puts into a class; what is documentation; and what it runs on, which is looked at by itself.
UNREAD = frozenset({"__annotations__", "_abc_impl", "offers", "runs_on"})


def _is_plain(value: Any) -> bool:
    """Whether a value is data alone, of Python's own types: no code of anybody's runs where it is used."""
    kind = type(value)
    if kind is dict:
        return all(_is_plain(each) for pair in value.items() for each in pair)
    if kind in (tuple, list, set, frozenset):
        return all(map(_is_plain, value))
    return kind in (str, bytes, bool, int, float, type(None), GetSetDescriptorType)


def _code_place(backend: Backend, name: str) -> wire.CodePlace | None:
    function: Any = getattr(backend, name, None)
    # Not what functools.wraps says that it wraps: the wrapper is what runs.
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return None if code is None else wire.CodePlace(clean(code.co_filename), code.co_firstlineno)
