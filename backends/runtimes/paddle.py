"""PaddlePaddle, run eagerly on the processor.

The library is imported when the runtime is made, not when this file is: what :meth:`PaddleRuntime.prepare` sets must
be there first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.backends.contract import Array, Setup, Tensor, Unsupported
from conformance.backends.runtimes.base import Function, Runtime

if TYPE_CHECKING:
    import numpy as np
    import paddle

__all__ = ["PaddleRuntime"]


class PaddleRuntime(Runtime):
    """``backward`` for the gradient, and else ``paddle.grad``; forward mode is reverse mode twice.

    That is ``paddle.incubate.autograd.jvp``.
    """

    # What paddle.grad keeps of the graph is one of the process: of paddle.exp in two threads it raises, or ends the
    # process (3.3.1). paddle.autograd.backward is right there.
    of_one_thread: ClassVar[frozenset[str]] = frozenset({"forward-mode", "second-order", "second-backward"})
    variables: ClassVar[tuple[str, ...]] = ("FLAGS_", "PADDLE_")
    distributions: ClassVar[tuple[str, ...]] = ("paddlepaddle", "numpy")

    def __init__(self, *, device: str, execution: str, threads: int) -> None:
        global np, paddle
        import numpy as np
        import paddle

        super().__init__(device=device, execution=execution, threads=threads)
        paddle.set_device(device)

    @classmethod
    def prepare(cls, setup: Setup) -> None:
        os.environ["OMP_NUM_THREADS"] = str(setup.threads)
        os.environ["GLOG_minloglevel"] = "3"  # noqa: SIM112 - the name that it reads

    def settings(self) -> dict[str, str]:
        tiny = paddle.to_tensor(np.array([1e-40], np.float32))
        return {"flush to zero": str(float((tiny * 1).numpy()[0]) == 0).lower()}

    @property
    def tensor_types(self) -> tuple[type, ...]:
        return (type(paddle.to_tensor(0)),)

    def tensor(self, array: Array | Any) -> Tensor:
        """A copy in row-major order; targets that are not an array stay what they are.

        Raises Unsupported for a foreign byte order.
        """
        if not isinstance(array, np.ndarray):
            return array
        if not array.dtype.isnative:
            raise Unsupported("paddle.to_tensor takes no foreign byte order")
        if array.dtype.kind == "V":  # bfloat16
            return paddle.to_tensor(array.view(np.int16)).view("bfloat16")
        return paddle.to_tensor(array)

    def array(self, tensor: Tensor) -> Array:
        if tensor.dtype == paddle.bfloat16:
            import ml_dtypes

            return np.array(tensor.detach().view("int16").numpy()).view(ml_dtypes.bfloat16)
        return np.array(tensor.numpy())

    def synchronize(self, *results: Tensor) -> None:
        """Eager calls on the processor return once they are computed."""

    def vjp(self, function: Function, x: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        x = _differentiable(x)
        value = function(x)
        paddle.autograd.backward([value], [cotangent])
        gradient = x.grad
        if gradient is None:  # nothing comes back, which paddle.grad refuses
            (gradient,) = paddle.grad([function(x)], [x], [cotangent])
        return value.detach(), gradient.detach()

    def jvp(self, function: Function, x: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        value, derivative = paddle.incubate.autograd.jvp(function, x, tangent)
        return value.detach(), derivative

    def hvp(self, function: Function, x: Tensor, cotangent: Tensor, direction: Tensor) -> Tensor:
        x = _differentiable(x)
        (gradient,) = paddle.grad([function(x)], [x], [cotangent], create_graph=True)
        return paddle.grad([gradient], [x], [direction])[0]

    def second_vjp(self, function: Function, x: Tensor, former: Tensor, cotangent: Tensor) -> Tensor:
        x = _differentiable(x)
        value = function(x)
        paddle.grad([value], [x], [former], retain_graph=True)
        return paddle.grad([value], [x], [cotangent])[0]


def _differentiable(x: Tensor) -> Tensor:
    leaf = x.detach()
    leaf.stop_gradient = False
    return leaf
