"""Where the suite's own cases and profiles lie: it runs from a checkout (editable install)."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CASES", "PROFILES", "ROOT"]

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "cases"
PROFILES = ROOT / "backends" / "profiles"
