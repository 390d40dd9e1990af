"""YAML 1.2 text to plain Python data.

Built on the parser's events, so that numbers are what people mean (``1e4`` is a number, ``no`` is a word) and
everything that would make a case file ambiguous is refused: duplicate keys, anchors, tags, merge keys, several
documents. Below a key ``expected`` scalars keep their source text: a decimal number of 17 digits, or one below the
range of float64, must not pass through a float.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import yaml

from conformance.disk import contents
from conformance.model.errors import CaseError, Place, UsageError

__all__ = [
    "MOST_BYTES",
    "MOST_LEVELS",
    "MOST_NODES",
    "Lines",
    "NodePath",
    "dotted",
    "lines",
    "parse",
    "place_of",
    "read",
    "read_text",
]

MOST_BYTES = 32 * 2**20
MOST_LEVELS = 64
#: Keys, scalars, beginnings and ends of collections of one file: parsing as many takes two or three seconds.
MOST_NODES = 3_000_000
_MOST_DIGITS = 400
_LARGER = "split it, or write large tensors as a generator (distribution, shape, seed)"
#: Where a node is: keys and indices from the root, such as ``("cases", 2, "axis")``.
NodePath = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys(("-.nan", "-.NaN", "-.NAN"), float("-nan")),
}
_NUMERIC_START = frozenset("+-.0123456789")


def dotted(path: NodePath) -> str:
    """``("cases", 2, "axis")`` as ``cases[2].axis``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read(file: Path) -> Any:
    """The data of a YAML file: dict, list, str, int, float, bool or None.

    Raises CaseError, with line and key, for a file that cannot be read, is not UTF-8, is above 32 MiB, or is not the
    plain YAML described above.
    """
    return parse(read_text(file), file)


def read_text(file: Path) -> str:
    """The file's text as it is (line ends included), without a byte order mark; raises CaseError."""
    try:
        data = contents(file, MOST_BYTES, larger=_LARGER)
    except UsageError as error:
        raise CaseError(error.problem, place=error.place, hint=error.hint) from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CaseError(
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            place=Place(file, data.count(b"\n", 0, error.start) + 1),
            hint="save the file as UTF-8",
        ) from None
    if control := _CONTROL.search(text):
        raise CaseError(
            f"control character U+{ord(control[0]):04X}",
            place=Place(file, text.count("\n", 0, control.start()) + 1),
            hint="remove it",
        )
    return text.removeprefix("\ufeff")


def parse(text: str, file: Path | str) -> Any:
    """The data of YAML ``text``; ``file`` is only named in errors (CaseError)."""
    return _Reader(text, file).run()


def lines(text: str, file: Path | str) -> Lines:
    """Where the nodes of YAML ``text`` stand."""
    reader = _Reader(text, file, keep_lines=True)
    return Lines(reader.run())


class Lines:
    """The line, from 1, of every node of a text; of an entry of a mapping, the line of its key.

    Kept as the data are: a number in place of each scalar, and collections that know their own line.
    """

    def __init__(self, root: Any) -> None:
        self._root = root

    def at(self, path: NodePath) -> int:
        """The line of the node at ``path``; of a missing node, that of its nearest parent."""
        node = self._root
        line = 1
        for step in path:
            try:
                node = node[step]
            except (LookupError, TypeError):
                break
            line = node if isinstance(node, int) else node.line
        return line

    def below(self, path: NodePath) -> list[int]:
        """The lines of the entries of the list at ``path``, in order."""
        node = self._root
        for step in path:
            node = node[step]
        return [item if isinstance(item, int) else item.line for item in node]


class _LinesOfMapping(dict[str, Any]):
    __slots__ = ("line",)
    line: int


class _LinesOfList(list[Any]):
    __slots__ = ("line",)
    line: int


def _with_line(node: Any, line: int) -> Any:
    """A collection that knows its line; in place of a scalar, the line."""
    if isinstance(node, _LinesOfMapping | _LinesOfList):
        node.line = line
        return node
    return line


def place_of(file: Path, path: NodePath) -> Place:
    """File, line and dotted key of the node at ``path``; of a missing node, the line of its nearest parent."""
    try:
        status = file.stat()
        known = _lines_of(file, status.st_mtime_ns, status.st_size)
    except (OSError, CaseError):
        return Place(file, None, dotted(path) or None)
    return Place(file, known.at(path), dotted(path) or None)


@lru_cache(maxsize=8)
def _lines_of(file: Path, modified: int, size: int) -> Lines:
    """Keyed by time and size too, so that an edited file is read again; looked up only when an error needs it."""
    return lines(read_text(file), file)


class _Reader:
    """Reads one text, node by node; ``path`` is where we are.

    With ``keep_lines`` the line of each node stands in its place, as ``Lines`` keeps them.
    """

    def __init__(self, text: str, file: Path | str, *, keep_lines: bool = False) -> None:
        self.text = text
        self.file = file
        self.keep_lines = keep_lines
        self.path: list[str | int] = []
        self.events = 0

    def run(self) -> Any:
        try:
            self.parser = _LOADER(self.text)
            try:
                return self._document()
            finally:
                self.parser.dispose()
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from None

    def _document(self) -> Any:
        self._next()
        if type(self._next()) is not yaml.DocumentStartEvent:
            return None
        event = self._next()
        root = self._node(event, verbatim=False)
        if self.keep_lines:
            root = _with_line(root, event.start_mark.line + 1)
        self._next()
        if type(event := self._next()) is yaml.DocumentStartEvent:
            self._refuse(event, "a second document", "one document a file: remove '---', or split the file")
        return root

    def _next(self) -> Any:
        event = self.parser.get_event()
        self.events += 1
        if self.events > MOST_NODES:
            hint = "split the file, or write large tensors as a generator (distribution, shape, seed)"
            self._refuse(event, f"more than {MOST_NODES} keys and values in one file", hint)
        return event

    def _node(self, event: Any, *, verbatim: bool) -> Any:
        """What begins with ``event``; ``verbatim``: below ``expected``, where scalars stay text."""
        kind = type(event)
        if kind is yaml.AliasEvent:
            self._refuse(event, f"alias '*{event.anchor}'", "write the value out")
        if event.tag is not None or event.anchor is not None:
            self._refuse_property(event)
        if kind is yaml.ScalarEvent:
            return self._scalar(event, verbatim=verbatim)
        if len(self.path) >= MOST_LEVELS:
            self._refuse(event, f"nested deeper than {MOST_LEVELS} levels", "check the brackets")
        return self._list(verbatim=verbatim) if kind is yaml.SequenceStartEvent else self._mapping(verbatim=verbatim)

    def _scalar(self, event: Any, *, verbatim: bool) -> Any:
        text = event.value
        if not event.implicit[0]:
            return text
        if verbatim:
            return None if _WORDS.get(text, text) is None else text
        try:
            return _resolve(text)
        except ValueError as error:
            self._refuse(event, *error.args)

    def _list(self, *, verbatim: bool) -> list[Any]:
        items: list[Any] = _LinesOfList() if self.keep_lines else []
        self.path.append(0)
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            item = self._node(event, verbatim=verbatim)
            items.append(_with_line(item, event.start_mark.line + 1) if self.keep_lines else item)
            self.path[-1] += 1  # type: ignore[operator]
        self.path.pop()
        return items

    def _mapping(self, *, verbatim: bool) -> dict[str, Any]:
        entries: dict[str, Any] = _LinesOfMapping() if self.keep_lines else {}
        while type(event := self._next()) is not yaml.MappingEndEvent:
            key = self._key(event, entries)
            self.path.append(key)
            item = self._node(self._next(), verbatim=verbatim or key == "expected")
            entries[key] = _with_line(item, event.start_mark.line + 1) if self.keep_lines else item
            self.path.pop()
        return entries

    def _key(self, event: Any, entries: dict[str, Any]) -> str:
        if type(event) is not yaml.ScalarEvent:
            self._refuse(event, "a key that is a list, a mapping or an alias", "keys are plain words")
        if event.tag is not None or event.anchor is not None:
            self._refuse_property(event)
        key: str = event.value
        if key == "<<" and event.implicit[0]:
            self._refuse(event, "merge key '<<'", "write the entries out")
        if key in entries:
            self._refuse(event, f"duplicate key '{key}'", "keep one of the two", (key,))
        return key

    def _refuse_property(self, event: Any) -> NoReturn:
        if event.anchor is not None:
            self._refuse(event, f"anchor '&{event.anchor}'", "remove it, and write the value out where it is used")
        self._refuse(event, f"tag '{event.tag}'", "remove it: numbers, words and null are recognised without")

    def _refuse(self, event: Any, problem: str, hint: str, below: NodePath = ()) -> NoReturn:
        place = Place(self.file, event.start_mark.line + 1, dotted((*self.path, *below)) or None)
        raise CaseError(problem, place=place, hint=hint)

    def _syntax_error(self, error: yaml.YAMLError) -> CaseError:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
        # The parser puts the end of a text without a last newline one line too far down.
        line = min(mark.line, self.text.count("\n")) + 1 if mark else None
        place = Place(self.file, line, dotted(tuple(self.path)) or None)
        column = f" (column {mark.column + 1})" if mark else ""
        return CaseError(f"YAML syntax: {problem}{column}", place=place, hint=_syntax_hint(problem))


def _syntax_hint(problem: str) -> str:
    if "mapping values" in problem:
        return "put text that holds ': ' in quotes, and indent the keys of one mapping alike"
    if "cannot start any token" in problem:
        return "indent with spaces, not tabs; put text that starts with @, ` or % in quotes"
    if "expected ',' or" in problem or "document start" in problem or "block end" in problem:
        return "check brackets, commas and indentation here and in the line above"
    return "check quotes, brackets and indentation here and in the line above"


@lru_cache(maxsize=8192)
def _resolve(text: str) -> object:
    """A plain scalar by the YAML 1.2 core schema; ValueError holds the problem and its hint."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC_START:
        return text
    if len(text) > _MOST_DIGITS and (_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text) or _BASED.fullmatch(text)):
        raise ValueError(f"a number of {len(text)} characters", "17 significant digits say everything")
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if not _FLOAT.fullmatch(text):
        return text
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is beyond the range of float64", "write .inf or -.inf if infinity is meant")
    if value == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        raise ValueError(f"{text} is below the range of float64", "write 0 if zero is meant")
    return value
