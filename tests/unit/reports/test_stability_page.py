"""The table of extreme logits, from the cases of the theme."""

from __future__ import annotations

from pathlib import Path

from conformance.places import CASES
from conformance.reports.merge import merge
from conformance.reports.site.catalogue import Catalogue
from conformance.reports.site.stability_page import stability_tables
from tests.support.outcomes import outcome, run


def test_every_case_is_shown_with_its_logits(tmp_path: Path) -> None:
    catalogue = Catalogue([CASES / "stability"])
    cases = [entry.case.id for entry in catalogue.suite.entries]
    relations = merge([run(tmp_path / "run", map(outcome, cases))]).relations
    (table,) = stability_tables(relations, catalogue)
    logits = {str(row[0].content): row[1] for row in table.rows}
    assert [*logits] == cases and all(logits.values())
    assert logits["plus-infinity-planted-over-513-classes"] == "normal 8×513, offset 0, scale 3"
