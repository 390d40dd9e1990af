"""Backends whose device goes by another name than the processor's: what is asked of an accelerator is asked of them."""

from __future__ import annotations

from time import perf_counter

from conformance.backends.adapters.jax import Jax
from conformance.backends.adapters.numpy import Numpy
from conformance.backends.adapters.torch import Torch
from conformance.backends.contract import Device
from conformance.backends.runtimes.torch import TorchDevice


class Clocked(TorchDevice):
    def seconds(self, function, rounds):
        times = []
        for _ in range(rounds):
            begin = perf_counter()
            function()
            times.append(perf_counter() - begin)
        return times


class OnTorch(Torch):
    """PyTorch's own code for devices, and a clock."""

    devices = ("cpu:0",)

    def __init__(self, *, device="", mode="", threads=1):
        super().__init__(device=device, mode=mode, threads=threads)
        self.runtime.device = Clocked(self.device)


class OnJax(Jax):
    """JAX's own code for devices, which gives no time and whose allocator gives no memory."""

    devices = ("elsewhere",)

    def __init__(self, *, device="", mode="", threads=1):
        super().__init__(device="cpu", mode=mode, threads=threads)
        self.device = "elsewhere"

    def settings(self):
        return super().settings() | {"device": "cpu"}  # the name that JAX has for this device


class Bare(Numpy):
    """A device of which nothing is known."""

    devices = ("nowhere",)


class Full(Device):
    def streams(self, size):
        raise MemoryError("no room")


class Breaks(Bare):
    """A device that fails when its memory is streamed."""

    def __init__(self, *, device="", mode="", threads=1):
        super().__init__(device=device, mode=mode, threads=threads)
        self.runtime.device = Full()
