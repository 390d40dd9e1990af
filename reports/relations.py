"""Runs as relations: a DuckDB database that lasts as long as the report, and queries on it.

Every table of a report is a query on the relation ``outcomes``: the outcomes that stand. Of a check that several runs
made in the same column, the newest run's stands. DuckDB reads the JSON lines, groups them on disk within a fixed
memory, and hands over the small result; neither pandas nor pyarrow is imported for that. What needs whole outcomes,
such as the page of a case, gets them as a stream.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from conformance.model.backend import BackendId
from conformance.model.errors import HarnessError, Place, UsageError
from conformance.model.outcome import Outcome
from conformance.model.records import SCHEMA, encode_record
from conformance.plain import plain
from conformance.reports.columns import Column, ColumnIdentity, columns_of, machine
from conformance.results.scan import Scan
from conformance.results.store import Run
from conformance.scratch import scratch

if TYPE_CHECKING:
    import duckdb

__all__ = ["FIELDS", "LOST", "NUMBERS", "CaseResults", "Relations"]

#: In SQL, whether a check was not reached, since the backend's process had died: ``Outcome.is_lost``.
LOST = "(verdict = 'not run' and reason = 'failed')"
#: Memory that DuckDB may take; what is beyond it waits in the temporary folder.
MEMORY = "400MB"
#: Bytes of results files that need no database on disk.
SMALL = 16 << 20
#: Rows that are turned into objects at a time.
BATCH = 5_000
#: Rows that are put in the order of their cases at a time.
CHUNK = 200_000


def _parts(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) is Annotated:  # a text of a certain form is a text
        kind = get_args(kind)[0]
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _is_text(kind: Any) -> bool:
    """Whether a field holds a text, one of some words, or nothing."""
    return all(part in (str, NoneType) or get_origin(part) is Literal for part in _parts(kind))


#: The fields of an outcome, by their names in a results file: numbers, JSON where they have parts, else text.
_OF_OUTCOME = {field.encode_name: field for field in msgspec.structs.fields(Outcome)}
FIELDS = tuple(_OF_OUTCOME)
NUMBERS = ("ulp", "ratio", "bound", "seconds")
_JSON = tuple(name for name, each in _OF_OUTCOME.items() if name not in NUMBERS and not _is_text(each.type))
_KINDS = {name: "double" if name in NUMBERS else "json" if name in _JSON else "varchar" for name in FIELDS}


def _read_as(name: str) -> str:
    """A field of a line in SQL: the reader of results has checked it, and made sure that it is there if it must be."""
    if name in NUMBERS:
        return f'try_cast("{name}" as double) as "{name}"'
    default = _OF_OUTCOME[name].default
    return f"""coalesce("{name}", '{default}') as "{name}\"""" if isinstance(default, str) else f'"{name}"'


_STAGED = {"record": "varchar"} | {name: "json" if name in _JSON else "varchar" for name in FIELDS}
_NAMES = ", ".join(f'"{name}"' for name in FIELDS)
_READ = "read_json(?, format = 'newline_delimited', columns = ?)"
_INSERT = (
    f"insert into stored select run, o.id, (run::bigint << 32) + nr, {_NAMES} "
    f"from (select ?::integer as run, row_number() over () as nr, {', '.join(map(_read_as, FIELDS))} "
    f"from {_READ} where record = 'outcome') s "
    "left join (select unnest(?::varchar[]) as name, unnest(?::integer[]) as id) o on o.name = s.backend where true"
)
#: A unit that a newer run has done stands as it is there.
_UNLESS_THERE = (
    ' and not exists (select 1 from (select distinct id, "case", dtype, layout from stored) t '
    'where t.id = o.id and t."case" = s."case" and t.dtype = s.dtype and t.layout = s.layout)'
)


@dataclass(frozen=True)
class CaseResults:
    """All outcomes of one case, in the order in which they were made."""

    case: str
    theme: str
    outcomes: list[tuple[Column, Outcome]]

    def counts(self) -> dict[Column, Counter[str]]:
        """Verdicts of each column that has any, in the columns' order."""
        counted: dict[Column, Counter[str]] = {}
        for column, outcome in self.outcomes:
            counted.setdefault(column, Counter())[outcome.verdict] += 1
        return dict(sorted(counted.items(), key=lambda item: item[0].place))


class Relations:
    """The outcomes of some runs, as the relation ``outcomes``, in a database of its own.

    Its columns are the fields of an outcome (``ulp``, ``ratio``, ``bound`` and ``seconds`` as doubles), ``run`` (a
    place in ``runs``, the oldest first), ``col`` (a place in ``columns``) and ``seq``, the order of all outcomes.
    ``superseded`` counts the outcomes that a newer run made again.

    With ``every``, the runs stay in the order given, and none takes the place of another: they are to be compared.

    Raises UsageError that names a damaged line, HarnessError where the disk refuses.
    """

    def __init__(self, runs: Sequence[Run], *, every: bool = False) -> None:
        self._every = every
        self.runs = tuple(runs if every else sorted(runs, key=lambda run: (run.header.started, str(run.path))))
        self.columns: tuple[Column, ...] = ()
        self.superseded = 0
        with contextlib.ExitStack() as stack:
            self._folder = stack.enter_context(scratch())
            self._database = _connected(self._folder, small=sum(run.path.stat().st_size for run in runs) < SMALL)
            stack.callback(self._database.close)
            self._fill()
            self.close = weakref.finalize(self, stack.pop_all().close)

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement: for results that are small."""
        with _errors():
            rows: list[tuple[Any, ...]] = self._database.execute(statement, list(values)).fetchall()
        return rows

    def stream(self, statement: str, values: Sequence[Any] = ()) -> Generator[tuple[Any, ...]]:
        """The rows of a statement as a stream."""
        with _errors(), self._database.cursor() as cursor:
            cursor.execute(statement, list(values))
            while batch := cursor.fetchmany(BATCH):
                yield from batch

    def execute(self, statements: str) -> None:
        """Run statements that give no rows, such as those that make a view."""
        with _errors():
            self._database.execute(statements)

    def relation(self, statement: str) -> duckdb.DuckDBPyRelation:
        """The result of a statement as DuckDB has it: for pandas, Arrow, or a file."""
        return self._database.sql(statement)

    def outcomes(
        self, where: str = "true", values: Sequence[Any] = (), *, order: str = "seq", limit: int | None = None
    ) -> Generator[tuple[Column, Outcome]]:
        """The outcomes that stand and meet ``where``, each with its column, as a stream."""
        statement = f"select col, {_NAMES} from outcomes where {where} order by {order}"
        for place, *row in self.stream(statement + ("" if limit is None else f" limit {limit}"), values):
            yield self.columns[place], _outcome(row)

    def at(self, places: Iterable[int]) -> dict[int, Outcome]:
        """The outcomes at some places of ``seq``."""
        wanted = sorted(places)
        rows = self.outcomes("seq in (select unnest(?::bigint[]))", [wanted])
        return dict(zip(wanted, (outcome for _, outcome in rows), strict=True))

    def cases(self) -> Iterator[CaseResults]:
        """Case by case in order of appearance.

        Never more than ``CHUNK`` outcomes, or one case's, are sorted at a time.
        """
        sizes = self.query('select "case", count(*) from outcomes group by all order by min(seq)')
        begin = held = 0
        for end, (_, count) in enumerate(sizes, 1):
            held += count
            if held >= CHUNK or end == len(sizes):
                yield from self._chunk(sizes[begin:end])
                begin, held = end, 0

    def _chunk(self, sizes: Sequence[tuple[str, int]]) -> Iterator[CaseResults]:
        names = [case for case, _ in sizes]
        self.query("create or replace table places as select unnest(?::varchar[]) as name, unnest(?) as place",
                   [names, [*range(len(names))]])  # fmt: skip
        place = '(select place from places where name = "case")'
        rows = self.outcomes('"case" in (select name from places)', order=f"{place}, seq")
        with contextlib.closing(rows):
            for case, count in sizes:
                found = [next(rows) for _ in range(count)]
                yield CaseResults(case, next((o.theme for _, o in reversed(found) if o.theme), ""), found)

    # -- filling ------------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Read the newest run first, so that a check that is there already is not taken again."""
        found: list[list[ColumnIdentity]] = [[] for _ in self.runs]
        places: dict[ColumnIdentity, int] = {}
        with _errors():
            fields = ", ".join(f'"{name}" {kind}' for name, kind in _KINDS.items())
            self._database.execute(f"create table stored (run integer, id integer, seq bigint, {fields})")
            for place, run in reversed([*enumerate(self.runs)]):
                found[place] = self._read(place, run, places)
            columns = columns_of([*zip(self.runs, found, strict=True)])
            pairs = [(places[identity], column.place) for identity, column in columns.items()]
            self._database.execute("create table identities (id integer, col integer)")
            if pairs:
                self._database.executemany("insert into identities values (?, ?)", pairs)
            self._describe([*columns.values()])
            self._database.execute(
                "create view outcomes as select * exclude (id) from stored join identities using (id)"
            )
        self.columns = tuple(columns.values())

    def _describe(self, columns: Sequence[Column]) -> None:
        """The relations ``runs`` and ``columns``: what identifies them, by place."""
        identity = msgspec.structs.fields(BackendId)
        names = ", ".join(f"{field.name} varchar" for field in identity)
        self._database.execute(
            f"create table columns (place integer, label varchar, machine varchar, profile varchar, {names})"
        )
        self._database.execute(
            'create table runs (place integer, name varchar, started varchar, suite varchar, "commit" varchar, '
            "machine varchar)"
        )
        for column in columns:
            row = [column.place, column.label, column.machine, column.declared_in, *msgspec.structs.astuple(column.id)]
            self._database.execute(f"insert into columns values ({', '.join('?' * len(row))})", row)
        for place, run in enumerate(self.runs):
            header, name = run.header, plain(run.path.resolve().parent.name)
            about = [place, name, header.started, header.suite, header.commit or "", machine(header)]
            self._database.execute("insert into runs values (?, ?, ?, ?, ?, ?)", about)

    def _read(self, place: int, run: Run, places: dict[ColumnIdentity, int]) -> list[ColumnIdentity]:
        """Take a run's outcomes but for what a newer run made again; the identities of its backends."""
        here = machine(run.header)
        made = {name: ColumnIdentity(record.id, here) for name, record in run.backends.items()}
        again = not self._every and any(identity in places for identity in made.values())
        ids = [places.setdefault(identity, len(places)) for identity in made.values()]
        self._insert(run, _INSERT + (_UNLESS_THERE if again else ""), [place, [*made], ids])
        for (name,) in self.query("select distinct backend from stored where id is null"):
            made[name] = ColumnIdentity(BackendId(name=name), here)
            place_of = places.setdefault(made[name], len(places))
            self.query("update stored set id = ? where id is null and backend = ?", [place_of, name])
        names = [name for (name,) in self.query("select distinct backend from stored where run = ?", [place])]
        return [made[name] for name in names]

    def _insert(self, run: Run, statement: str, values: list[Any]) -> None:
        """Insert a run's outcomes; what DuckDB cannot read, the reader of results does, or it names the line."""
        import duckdb

        if _direct(run):
            try:
                self._execute(run.path.resolve(), statement, values)
                return
            except duckdb.Error:
                Scan(run.path, each=True)  # which names the line, if there is one that is damaged
        again = self._folder / "again.jsonl"
        with again.open("wb") as file:
            file.writelines(encode_record(outcome) for outcome in run.outcomes)
        try:
            self._execute(again, statement, values)
        except duckdb.Error as error:
            raise UsageError(f"cannot be read: {str(error).splitlines()[0]}", place=Place(run.path)) from None
        finally:
            again.unlink()

    def _execute(self, file: Path, statement: str, values: list[Any]) -> None:
        (kept,) = self._database.execute(statement, [values[0], str(file), _STAGED, *values[1:]]).fetchone() or (0,)
        if statement.endswith(_UNLESS_THERE):
            count = f"select count(*) from {_READ} where record = 'outcome'"
            (read,) = self._database.execute(count, [str(file), _STAGED]).fetchone() or (0,)
            self.superseded += read - kept


def _direct(run: Run) -> bool:
    """Whether DuckDB may read the file itself: whole, of today's schema, each unit once, and no pattern as its name."""
    whole = run.header.schema == SCHEMA and not run.truncated and not run.repeated
    return whole and not set(str(run.path.resolve())) & set("*?[")


def _outcome(row: Sequence[Any]) -> Outcome:
    given = {
        name: msgspec.json.decode(value) if name in _JSON else value
        for name, value in zip(FIELDS, row, strict=True)
        if value is not None
    }
    return msgspec.convert({"record": "outcome", **given}, Outcome)


def _connected(folder: Path, *, small: bool) -> duckdb.DuckDBPyConnection:
    import duckdb

    config: dict[str, Any] = {
        "memory_limit": MEMORY,
        "threads": min(4, os.cpu_count() or 1),
        "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    return duckdb.connect(":memory:" if small else str(folder / "outcomes.duckdb"), config=config)


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise HarnessError(f"the temporary database failed: {str(error).splitlines()[0]}") from None
