"""Runs as a data frame, with columns that are documented here and in docs/data.md."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.model.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "described", "load"]


def _value(name: str) -> str:
    """A value as text, in SQL: a number or a word as it is, what has parts as JSON."""
    return f"""if(starts_with({name}::varchar, '"'), {name} ->> '$', {name}::varchar)"""


#: Each column, in order, with what it holds and the SQL that makes it. Texts are empty where nothing is known; numbers
#: are NaN there, and what has parts is JSON text.
COLUMNS: dict[str, tuple[str, str]] = {
    "run": ("the name of the run's folder", "runs.name"),
    "started": ("when the run began, UTC in ISO 8601", "runs.started"),
    "suite": ("the version of the suite that ran", "runs.suite"),
    "commit": ("the commit of the suite that ran, if it is known", "runs.commit"),
    "machine": ("processor and platform", "runs.machine"),
    "column": (
        "the backend as tables head it: its name, its version, and its options where not the default",
        "columns.label",
    ),
    "backend": ("the backend's name", "backend"),
    "framework": ("the framework that it belongs to", "columns.framework"),
    "version": ("the version of the framework", "columns.version"),
    "device": ("cpu, cuda, …", "columns.device"),
    "execution": ("how calls are executed: eager, jit, compile, graph, xla", "columns.execution"),
    "composition": ("which documented function stands for a loss, if several can", "columns.composition"),
    "precision": ("what differs from the framework's default precision", "columns.precision"),
    "memory": ("how the framework has tensors lie, where that is an option", "columns.memory"),
    "ranks": ("over how many ranks the classes are divided, where they are", "columns.ranks"),
    "profile": ("what it was judged by: the suite's profile of that name, or the user's own file", "columns.profile"),
    "theme": ("the theme of the case", "theme"),
    "case": ("the id of the case", '"case"'),
    "dtype": ("of the logits: float64, float32, float16, bfloat16", "dtype"),
    "layout": ("how the operands lie in memory", "layout"),
    "op": ("the operation", "op"),
    "reduction": ("none, sum, mean, or the default one", "reduction"),
    "check": ("what was asked: value, gradient, error, policy, or an identity", '"check"'),
    "policy": ("which policy a check of policies observes", "policy"),
    "aspect": ("of what: a kind of label, an operation, a dtype; empty where that makes no difference", "aspect"),
    "verdict": ("pass, deviation, known, fail, …: see docs/semantics.md", "verdict"),
    "class": ("the accuracy class that was reached: A to F", "class"),
    "declared": ("the accuracy class that the backend is held to", "declared"),
    "ulp": ("distance to the exact real number, over the spacing of floats there", "ulp"),
    "ratio": ("error over the bound that follows from the input", "ratio"),
    "bound": ("that bound, absolute", "bound"),
    "observed": ("what the backend gave: at the worst element, or in all", _value("observed")),
    "expected": ("what is right there", _value("expected")),
    "worst_input": ("the input at fault: its logits as hexadecimal floats", "worst_input::varchar"),
    "position": ("the position at fault, counted from 0", "try_cast(position::varchar as integer)"),
    "quantity": ("which of a transform's results is meant: value, gradient, jvp, hvp, target_gradient", "quantity"),
    "reason": ("why the verdict is what it is, as a word of the model", "reason"),
    "detail": ("the particulars of the reason", "detail"),
    "excused_by": ("the declared policies by which a result deviates", "excused_by::varchar"),
    "invalid": ("what makes the input invalid, where no error came", "invalid"),
    "defect": ("the entry of the register of known defects", "defect ->> 'id'"),
    "issue": ("where that is reported", "defect ->> 'issue'"),
    "resembles": ("an entry that would describe the fail of another case", "resembles ->> 'id'"),
    "resembles_issue": ("where that is reported", "resembles ->> 'issue'"),
    "error": ("the type of the exception or failure", "error ->> 'type'"),
    "error_text": ("its text", "error ->> 'text'"),
    "error_where": ("the adapter's file and line", "error ->> 'where'"),
    "seconds": ("the framework's own time", "seconds"),
    "right_in": ("the narrower dtype within whose bounds a wrong result is, as if computed there", "right_in"),
    "spoils": ("`later calls` where a small valid call was answered otherwise after this one", "spoils"),
    "worker": ("the worker that did it, where there are several machines", "worker"),
}
#: Columns with numbers. All others hold texts: those with many different ones as objects, those with few as categories.
NUMBERS = ("ulp", "ratio", "bound", "position", "seconds")
_LONG = ("observed", "expected", "worst_input", "detail", "excused_by", "error", "error_text", "error_where")
_CATEGORIES = tuple(name for name in COLUMNS if name not in NUMBERS + _LONG)


def load(*runs: str | PathLike[str], sql: str = "") -> pd.DataFrame:
    """The outcomes of some runs as a data frame: a row for each check, with the columns of ``COLUMNS``.

    Each of ``runs`` is a run's folder, its file, or a folder of runs' folders. Of a check that several runs made of the
    same backend, version and machine, the newest run's stands. Numbers are float64, NaN where nothing is known; texts
    are empty there, categories where they have few values and objects else.

    ``sql`` is a query on the relation ``outcomes``, which has the same columns, and the frame is its result:
    ``select framework, verdict, count(*) as checks from outcomes group by all``. DuckDB works in bounded memory: of a
    hundred full runs, ask for what is needed.

    Raises UsageError where there is no run, where one is damaged, and for a query that cannot be answered.
    """
    import duckdb

    from conformance.reports.merge import merge

    if not runs:
        raise UsageError("no run is named", hint="name a folder that `conformance run` wrote")
    relations = merge([Path(each) for each in runs]).relations
    asked = described(order=True)
    if sql:
        asked = f"with outcomes as ({described()}) select * from ({sql.rstrip().rstrip(';')})"
    try:
        frame: pd.DataFrame = relations.relation(asked).df()
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise UsageError(f"the query failed: {said}", hint='"case", "check", "column" are quoted in SQL') from None
    kinds = dict.fromkeys(_CATEGORIES, "category")
    if not sql:
        kinds |= dict.fromkeys(NUMBERS, "float64") | dict.fromkeys(_LONG, "object")
    return frame.astype({name: kinds[name] for name in frame.columns if name in kinds})


def described(*, order: bool = False) -> str:
    """The query on the relations of a report that gives ``COLUMNS``; with ``order``, in the order of all outcomes."""
    texts = {name: meaning if name in NUMBERS else f"coalesce({meaning}, '')" for name, (_, meaning) in COLUMNS.items()}
    made = ", ".join(f'{meaning} as "{name}"' for name, meaning in texts.items())
    joined = f"select {made} from main.outcomes join runs on runs.place = run join columns on columns.place = col"
    return f"{joined} order by seq" if order else joined
