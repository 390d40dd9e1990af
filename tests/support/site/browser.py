"""The browser that the tests drive: a Chromium of the system, or the one that Playwright installed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["chromium", "launched", "missing"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]


def chromium() -> str | None:
    """The browser's path: ``CHROMIUM`` in the environment, or the first that is on the PATH."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in _NAMES if (found := shutil.which(name))), None)


def missing() -> str:
    """Why there can be no browser test; empty where there can."""
    for package in ("playwright", "axe_playwright_python"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed: pip install -e '.[browser]'"
    if chromium() is None:
        return "no Chromium on the PATH: apt-get install chromium, or set CHROMIUM to its path"
    return ""


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """A running browser of Playwright's synchronous interface."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(Path(chromium() or "")), args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()
