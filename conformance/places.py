"""Where the suite's own cases and profiles lie: it runs from a checkout (editable install)."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CASES", "PROFILES", "QUICK", "ROOT"]

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "cases"
QUICK = CASES / "quick.yaml"
PROFILES = ROOT / "backends" / "profiles"
