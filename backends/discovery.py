"""From the text after ``--backend`` to a backend, importing nothing that was not asked for.

A spec is ``NAME`` for a backend of this package or an installed entry point of the group ``conformance.backends``,
``path/to/file.py[:NAME]``, or ``package.module:NAME``, each followed by words for its options in any order: device,
execution and so on (``torch:cuda:compile``). NAME in a file or module is a class derived from ``Backend``
or an instance of one. :func:`find` and :func:`installed` read the spec and the profiles; only :func:`create` imports a
framework.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from conformance.backends.contract import Backend
from conformance.backends.errors import BrokenBackend, FrameworkMissing, UnknownBackend, UnknownOption
from conformance.backends.loading import broken, imported, load_file, named_backend, only_backend
from conformance.backends.setup import OPTIONS, Setup, chosen

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "Found", "create", "find", "head", "installed", "names", "profile", "variables"]

GROUP = "conformance.backends"
PROFILES = Path(__file__).with_name("profiles")
#: The keys that make a profile long; all others stand before them.
_BODY = (b"policies:", b"classes:", b"known:")


@dataclass(frozen=True)
class Found:
    """A backend that a spec names. Those from files and modules are checked no further than their place.

    ``spec`` can be given to :func:`create`; ``name`` is what results call it, ``base`` the same without options.
    ``source`` is ``package``, ``entry point``, ``file`` or ``module``; ``place`` the module or file, ``attribute`` what
    to take from it. ``profile``, ``framework``, ``distribution`` and ``options``, each option's words, are known before
    the import only for the backends of this package. ``words`` are the options of the spec.
    """

    spec: str
    name: str
    base: str
    source: str
    place: str
    attribute: str | None = None
    profile: str | None = None
    framework: str | None = None
    distribution: str | None = None
    options: Mapping[str, tuple[str, ...]] | None = None
    words: tuple[str, ...] = ()

    @property
    def devices(self) -> tuple[str, ...] | None:
        """The devices that may be named; None where that is not known before the import."""
        return None if self.options is None else self.options["device"]

    @property
    def modes(self) -> tuple[str, ...] | None:
        """The words of all other options, as :attr:`devices`."""
        if self.options is None:
            return None
        return tuple(word for option, words in self.options.items() if option != "device" for word in words)

    @property
    def own_profile(self) -> Path | None:
        """The profile that a third party's backend brings along: ``mine.profile.yaml`` beside ``mine.py``."""
        if self.source == "package":
            return None
        place = Path(self.place)
        if self.source != "file":  # found without importing a package on the way to it
            top, *rest = self.place.split(".")
            spec = importlib.util.find_spec(top)
            folders = [] if spec is None else spec.submodule_search_locations or [str(Path(spec.origin or ".").parent)]
            place = Path(next(iter(folders), "."), *(rest or [top]))
        file = place.with_name(f"{place.name.removesuffix('.py')}.profile.yaml")
        return file if file.is_file() else None


@cache
def profile(name: str) -> Mapping[str, Any]:
    """What ``profiles/<name>.yaml`` declares.

    ``title``, ``framework`` (what is imported) and ``distribution`` (what is installed) are ``name`` if it is silent.

    Raises:
        UnknownBackend: there is no such profile.
        BrokenBackend: it is not a YAML mapping, or one of these three is not a word.
    """
    return _declared(name, whole=True)


@cache
def head(name: str) -> Mapping[str, Any]:
    """What stands before the policies in :func:`profile`: names, variants, operations, features and dtypes.

    To read no more takes a tenth of the time, and what is installed is asked at every start.
    """
    return _declared(name, whole=False)


def _declared(name: str, *, whole: bool) -> Mapping[str, Any]:
    import yaml

    path = PROFILES / f"{name}.yaml"
    if not path.is_file():
        raise UnknownBackend(f"there is no profile {name!r}", f"write one of {', '.join(names())}, or add {path.name}")
    try:
        with path.open("rb") as stream:
            top = takewhile(lambda line: not line.startswith(_BODY), stream)
            text = stream.read() if whole else b"".join(top)
        data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise BrokenBackend(f"{path}: {error}", "correct the file's YAML") from None
    if not isinstance(data, dict):
        raise BrokenBackend(f"{path}: not a mapping", "write `key: value` lines as the other profiles do")
    declared = {"title": name, "framework": name, "distribution": name} | data
    for key in ("title", "framework", "distribution"):
        if not isinstance(declared[key], str) or not declared[key].strip("."):
            raise BrokenBackend(f"{path}: {key} is not a word", f"write `{key}: {name}`, or leave it out")
    return declared


@cache
def names() -> tuple[str, ...]:
    """The backends of this package, sorted."""
    return tuple(sorted(path.stem for path in PROFILES.glob("*.yaml")))


@cache
def variables() -> tuple[str, ...]:
    """How the names begin of the environment variables that steer the frameworks of this package, sorted.

    Raises BrokenBackend where an adapter of this package is at fault.
    """
    kinds = (_adapter(name, name) for name in names())
    return tuple(sorted({beginning for kind in kinds for beginning in kind.variables}))


def installed(elsewhere: Collection[str] = (), *, key: Literal["variants", "benchmarks"] = "variants") -> list[Found]:
    """Every backend whose framework is installed, in the variants that its profile lists under ``key``.

    ``elsewhere`` names backends that are installed on another machine, and then only those are meant.
    """
    found = []
    for name in names():
        if name in elsewhere if elsewhere else _is_installed(name):
            variants = cast(Sequence[str], head(name).get(key, ["default"]))
            specs = [name if variant == "default" else f"{name}:{variant}" for variant in variants]
            found += [find(spec, elsewhere=bool(elsewhere)) for spec in specs]
    points = [point.name for point in _entry_points() if point.name not in names()]
    return found + [find(name) for name in points if not elsewhere or name in elsewhere]


def find(spec: str, *, elsewhere: bool = False) -> Found:
    """What ``spec`` names; with ``elsewhere`` its framework need not be installed here.

    Imports no framework, and nothing of the user's.

    Raises:
        UnknownBackend: nothing has that name.
        UnknownOption: a backend of this package has no such option, or its spec names two words for one.
        FrameworkMissing: its framework is not installed.
        BrokenBackend: its profile or its adapter in this package is at fault.
    """
    path, separator, rest = spec.partition(".py")
    if separator and (not rest or rest.startswith(":")):
        return _in_file(spec, Path(path + separator), rest[1:].split(":") if rest else [])
    name, *words = spec.split(":")
    if name in names():
        return _in_package(spec, name, words, elsewhere)
    for point in _entry_points():
        if point.name == name:
            return Found(spec, spec, name, "entry point", point.module, point.attr or None, words=tuple(words))
    if words and name and importlib.util.find_spec(name.partition(".")[0]) is not None:
        return Found(spec, spec, f"{name}:{words[0]}", "module", name, words[0], words=tuple(words[1:]))
    raise _unknown(spec, name)


def create(spec: str, threads: int = 1, cache: Path | None = None) -> Backend:
    """Import and start the backend that ``spec`` names: the framework is loaded into this process.

    ``cache`` is a folder for what the framework compiles (see :meth:`Backend.prepare`).

    Raises:
        BackendLookupError: one of its subclasses, as :func:`find`, or because the import or the start fails.
    """
    found = find(spec)
    name, words = found.attribute, list(found.words)
    if found.source == "file":
        module = load_file(spec, found.place)
        if words and hasattr(module, words[0]):
            name = words.pop(0)
    else:
        module = imported(spec, found.place)
    backend = only_backend(spec, module, words) if name is None else named_backend(spec, module, name, found.place)
    if isinstance(backend, Backend):
        if words:
            raise UnknownOption(f"{words[0]!r} selects nothing of an instance", "name its class instead", spec)
        return backend
    device, *rest = _selected(spec, words, backend)
    try:
        backend.prepare(Setup(spec=spec, threads=threads, cache=cache, **chosen(backend.options(), words)))
        return backend(device=device, mode=":".join(filter(None, rest)), threads=threads)
    except (Exception, SystemExit) as error:
        raise broken(spec, "cannot be started", error) from error


def _entry_points() -> list[EntryPoint]:
    from importlib import metadata

    return sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name)


def _in_package(spec: str, name: str, words: list[str], elsewhere: bool) -> Found:
    declared = head(name)
    framework, distribution = declared["framework"], declared["distribution"]
    if not elsewhere and not _is_installed(name):
        raise FrameworkMissing(f"{declared['title']} is not installed", f"pip install {distribution}", spec)
    kind = _adapter(spec, name)
    return Found(
        spec=spec,
        name=":".join([name, *filter(None, _selected(spec, words, kind))]),
        base=name,
        source="package",
        place=kind.__module__,
        attribute=kind.__name__,
        profile=kind.profile,
        framework=framework,
        distribution=distribution,
        options=kind.options(),
        words=tuple(words),
    )


def _is_installed(name: str) -> bool:
    """Whether a backend of this package finds its framework, and what its adapter requires beside that."""
    return _is_there(head(name)["framework"]) and all(map(_is_there, _adapter(name, name).requires))


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _adapter(spec: str, name: str) -> type[Backend]:
    """The class of a backend of this package: its module imports its framework when it is started.

    Raises BrokenBackend where it is not complete, or does not name the profile that gives it its name.
    """
    kind = only_backend(spec, imported(spec, f"conformance.backends.adapters.{name}"))
    assert isinstance(kind, type)
    if kind.profile != name:
        raise BrokenBackend(f"{kind.__name__} does not name its profile", f'write `profile = "{name}"` in it', spec)
    return kind


def _in_file(spec: str, path: Path, parts: list[str]) -> Found:
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.py")], n=1)
        hint = f"did you mean {path.parent / near[0]}?" if near else "give the path of a Python file that exists"
        raise UnknownBackend(f"there is no file {path}", hint)
    return Found(spec, ":".join([path.stem, *parts]), path.stem, "file", str(path), words=tuple(parts))


def _unknown(spec: str, name: str) -> UnknownBackend:
    known = [*names(), *(point.name for point in _entry_points())]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return UnknownBackend(
        f"there is no backend {name!r}",
        f"{hint}Write one of {', '.join(known)}, path/to/file.py, or package.module:Class",
    )


def _selected(spec: str, words: Sequence[str], kind: type[Backend]) -> list[str]:
    """The word that is named of each option, device first; empty where that is the default."""
    options = kind.options()
    listed = ((OPTIONS[option].replace("_", " "), known) for option, known in options.items() if known)
    hint = "; ".join(f"{words}: {', '.join(known)}" for words, known in listed).capitalize()
    chosen: dict[str, str] = {}
    for word in words:
        option = next((option for option, known in options.items() if word in known), None)
        if option is None:
            everything = [each for known in options.values() for each in known]
            synonyms = [each for each in _SYNONYMS.get(word, ()) if each in everything]
            near = synonyms or difflib.get_close_matches(word, everything, n=1)
            guess = f"did you mean {near[0]}? " if near else ""
            what = "device" if word in _DEVICES else "option"
            base = spec.partition(":")[0]
            title = head(base)["title"] if base in names() else kind.__name__
            raise UnknownOption(f"{title} has no {what} {word!r}", guess + hint, spec)
        if option in chosen:
            problem = f"{word!r} is a second {option} beside {chosen[option]!r}"
            raise UnknownOption(problem, f"name one. {hint}", spec)
        chosen[option] = word
    defaults = {"device": options["device"][0], "execution": options["execution"][0]}
    return [word if (word := chosen.get(option, "")) != defaults.get(option) else "" for option in options]


#: What a device is called elsewhere, and all words for one.
_SYNONYMS = {"gpu": ("cuda",), "host": ("cpu",)}
_DEVICES = {"cpu", "cuda", *_SYNONYMS}
