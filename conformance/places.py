"""Where the suite's own cases and profiles lie: in a checkout beside the package, in a wheel below it."""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path

__all__ = ["CASES", "DOCS", "INSTALLED", "PROFILES", "QUICK", "RESULTS", "ROOT", "SNIPPETS", "folder_of_now"]

_PACKAGE = Path(__file__).resolve().parent
_DATA = _PACKAGE / "_data"
#: Whether the suite was installed from a wheel, and does not run from a checkout.
INSTALLED = _DATA.is_dir()
#: The folder that holds the package: the checkout, or an environment's site-packages.
ROOT = _PACKAGE.parent
#: Where what was measured on this machine is kept: in the checkout, or for an installed package in the working folder.
RESULTS = Path("results") if INSTALLED else ROOT / "results"
_BESIDE = _DATA if INSTALLED else ROOT
CASES = _BESIDE / "cases"
QUICK = CASES / "quick.yaml"
#: Of the documents, a wheel holds only what code reads.
DOCS = _BESIDE / "docs"
#: Resolved: `conformance/backends` is a link in a checkout.
PROFILES = (_PACKAGE / "backends" / "profiles").resolve()
SNIPPETS = (_PACKAGE / "backends" / "snippets").resolve()


def folder_of_now(kind: str = "") -> Path:
    """``results/KIND<date>-<time>``, which does not exist: with a number behind it for the second of one moment."""
    name = kind + datetime.now().strftime("%Y%m%d-%H%M%S")
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(folder for each in names if not (folder := Path("results", each)).exists())
