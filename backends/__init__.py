"""Backends: runtimes, one for each array library; adapters, one for each library of losses; and their profiles."""

import importlib
import sys

if __name__ == "backends":  # from a checkout's top: the same package, so that no class exists twice
    sys.modules[__name__] = importlib.import_module("conformance.backends")
else:
    from conformance.backends.former import install

    install()
