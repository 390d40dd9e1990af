"""Libraries that come with an extra: what a user who lacks them is advised to do."""

from __future__ import annotations

import pytest

from conformance import extras
from conformance.model.errors import UsageError


@pytest.mark.parametrize(
    ("installed", "command"),
    [(True, "pip install 'cross-entropy-conformance[report]'"), (False, "pip install -e '.[report]'")],
)
def test_whoever_lacks_a_library_gets_the_command_that_works_there(
    installed: bool, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "INSTALLED", installed)
    with pytest.raises(UsageError) as caught:
        extras.imported("no_such_library", "report", "pictures need")
    assert str(caught.value) == (
        f"pictures need no_such_library, which is not installed\n  hint: install the extra: {command}"
    )


def test_what_is_not_installed_is_named() -> None:
    assert extras.not_installed("json", "no_such_library") == ["no_such_library"]
    assert extras.imported("json", "report", "pictures need").loads("1") == 1
