"""Fuzzing of the parsers: edited files of each kind must be read, or refused in words, within limits."""
