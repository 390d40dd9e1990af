"""The cross-entropy conformance suite: what is right, what is wrong, by how many ulp, and why."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as type checkers know it: `typing` is most of what a guard's process would import
if TYPE_CHECKING:
    import pandas as pd

__all__ = ["__version__", "load"]
__version__ = "0.2.0"

for _name in ("backends", "reports"):
    if not os.path.isdir(_folder := os.path.join(os.path.dirname(__file__), _name)):  # noqa: PTH112, PTH118, PTH120
        raise ImportError(
            f"{_folder} is not a folder: it is a symbolic link in the repository, which this checkout does not have; "
            "hint: `git config core.symlinks true && git checkout -- conformance`, or install the wheel"
        )


def load(*runs: str | os.PathLike[str], sql: str = "") -> pd.DataFrame:
    """The outcomes of some runs as a pandas data frame, or the result of a query on them.

    See :func:`conformance.reports.load.load`, and ``docs/data.md`` for its columns.
    """
    from conformance.reports.load import load as loaded

    return loaded(*runs, sql=sql)
