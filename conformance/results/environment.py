"""What is recorded of the machine and the suite: what can change a result, and nothing that says whose it is."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import conformance

__all__ = ["available_cores", "describe_environment", "origin", "suite_commit"]

ROOT = Path(conformance.__file__).resolve().parents[1]
#: Vector extensions by which kernels choose their code, as /proc/cpuinfo names them.
EXTENSIONS = ("avx", "f16c", "fma", "avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd", "sve", "bf16")


def describe_environment() -> dict[str, Any]:
    """Python, platform, processor, cores (usable and all), memory in bytes, the suite's version and commit."""
    cpu = _cpu_info()
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _first(cpu, "model name", "Model", "Hardware") or platform.processor() or platform.machine(),
        "extensions": [name for name in EXTENSIONS if name in _first(cpu, "flags", "Features").split()],
        "cores": {"usable": available_cores(), "all": os.cpu_count() or 1},
        "memory": _memory(),
        "byteorder": sys.byteorder,
        "suite": conformance.__version__,
        "commit": suite_commit(),
    }


def origin() -> dict[str, Any]:
    """Where results come from, by the fields of the head of their file: suite, commit, started, environment."""
    environment = describe_environment()
    return {
        "suite": environment["suite"],
        "commit": environment["commit"],
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": environment,
    }


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def suite_commit() -> str | None:
    """The commit of the checkout that the suite runs from, with ``+changes`` where files differ; else ``None``."""
    if not (ROOT / ".git").exists():
        return None
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return None
    return f"{commit}+changes" if _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ("git", "-C", str(ROOT), *arguments), capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_info() -> dict[str, str]:
    """The first processor's entries in /proc/cpuinfo; empty where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    entries: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            entries.setdefault(key.strip(), value.strip())
    return entries


def _first(entries: dict[str, str], *keys: str) -> str:
    return next((entries[key] for key in keys if key in entries), "")


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
