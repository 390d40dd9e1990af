"""The list of released versions that are run beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.model.errors import UsageError
from conformance.places import PROFILES
from conformance.reports.nightly.folder import Folder
from conformance.reports.nightly.released import read_released, run_released


def test_every_listed_version_is_one_of_a_backend_and_pins_what_it_names() -> None:
    listed = read_released()
    assert {*listed} <= {file.stem for file in PROFILES.glob("*.yaml")} and len(listed) >= 5
    for backend, versions in listed.items():
        assert len(versions) > 1, backend
        for version, requirements in versions.items():
            assert requirements[0].endswith(f"=={version}"), (backend, version)


@pytest.mark.parametrize("text", ["optax: [0.2.4]", "optax: {0.2.4: optax}", "- optax"])
def test_another_form_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "listed.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        read_released(tmp_path / "listed.yaml")
    assert "listed.yaml" in str(error.value.place) and "requirement" in error.value.hint


def test_a_backend_that_is_not_listed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no version of torch") as error:
        run_released(Folder(tmp_path), {"optax": {"0.2.8": ["optax==0.2.8"]}}, ["torch"], [])
    assert "optax" in error.value.hint
