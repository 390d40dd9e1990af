"""Libraries that come with an extra: imported once a feature needs them, with a hint for whoever lacks them."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from conformance.model.errors import UsageError
from conformance.places import INSTALLED

__all__ = ["how_to_install", "imported", "not_installed"]


def how_to_install(extra: str) -> str:
    """The command that installs an extra: from the checkout that runs, or by the name of the installed suite."""
    return f"pip install 'cross-entropy-conformance[{extra}]'" if INSTALLED else f"pip install -e '.[{extra}]'"


def not_installed(*modules: str) -> list[str]:
    """Those of the modules that are not installed."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def imported(module: str, extra: str, feature: str) -> Any:
    """The module. Raises UsageError where it is not installed: ``feature`` (``"pictures need"``) says who asks."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(
            f"{feature} {error.name or module}, which is not installed",
            hint=f"install the extra: {how_to_install(extra)}",
        ) from None
