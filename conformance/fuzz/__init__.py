"""Searches for wrong results that no case was written for, and makes each of them small."""
