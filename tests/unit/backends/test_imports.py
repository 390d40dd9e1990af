"""What the operations of an adapter need is imported, whatever a user's class imports for its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: In a process of its own: what another test has imported would be there already.
KERNEL = """
import numpy as np
from conformance.backends.adapters.{module} import {parent}

class Mine({parent}):
    @classmethod
    def imports(cls):
        global fractions
        import fractions

backend = Mine()
assert fractions.Fraction(1, 2)
print(backend.array(backend.softmax(backend.tensor(np.zeros((1, 2), np.float32)), axis=1)).tolist())
"""


@pytest.mark.parametrize(
    ("module", "parent"), [("numpy", "Numpy"), pytest.param("torch", "Torch", marks=pytest.mark.framework)]
)
def test_a_class_that_imports_for_itself_keeps_what_its_parent_imports(module: str, parent: str) -> None:
    code = KERNEL.format(module=module, parent=parent)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[[0.5, 0.5]]\n", "")
