"""The NumPy reference where its shapes are least."""

from __future__ import annotations

import numpy as np

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Call


def test_a_scalar_whose_class_a_mask_keeps_has_a_gradient() -> None:
    call = Call("softmax", {"where": np.array(True)}, (("axis", 0),))
    value, gradient = Numpy().differentiate(call, np.array(1.5, np.float32), np.array(2.0, np.float32))
    assert (value, gradient) == (1.0, 0.0) and np.shape(gradient) == ()
