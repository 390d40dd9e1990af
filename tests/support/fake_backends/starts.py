"""Backends that cannot be started."""

from __future__ import annotations

import gc
import os
import time
from typing import Any

from tests.support.fake_backends.sound import Sound


class NamesAPath(Sound):
    profile = "../../mine"


class FailsToImport(Sound):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        import no_such_framework  # type: ignore[import-not-found]  # noqa: F401


class CollectsByItself(Sound):
    """Sets Python's garbage collection as it likes it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        gc.disable()


class SlowToImport(Sound):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        time.sleep(600)


class DiesAtImport(Sound):
    def __init__(self, **options: Any) -> None:
        os.write(2, b"Illegal instruction, they said\n")
        os._exit(132)


class RaisesStrangely(Sound):
    """Raises what cannot be sent to another process."""

    def __init__(self, **options: Any) -> None:
        class Local(Exception):
            def __init__(self, one: object, two: object) -> None:
                super().__init__("strange")
                self.lock = __import__("threading").Lock()

        raise Local(1, 2)
