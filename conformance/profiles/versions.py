"""Whether a version of a framework is one of those that a declaration, or an entry of a register, is about."""

from __future__ import annotations

__all__ = ["is_range", "is_within"]


def is_range(versions: str) -> bool:
    """Whether ``versions`` is a PEP 440 specifier, such as ``>=2.10,<2.14``; nothing is one, too: all versions."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(versions)
    except InvalidSpecifier:
        return False
    return True


def is_within(version: str, versions: str, *, unknown: bool = True) -> bool:
    """Whether ``version`` lies in a range; for one that is not of PEP 440, or empty, ``unknown``."""
    if not versions:
        return True
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(versions).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return unknown
