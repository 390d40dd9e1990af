"""``python -m conformance``."""

from conformance.cli import entry

if __name__ == "__main__":
    entry()
