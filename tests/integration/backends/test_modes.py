"""Whether calls ran in their mode: where they did not, a pass is unsupported, and nothing else changes."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.backends.contract import Backend
from conformance.backends.discovery import create
from conformance.model.execution import ExecutionEvidence, total
from conformance.model.outcome import Outcome
from conformance.run.judged import judged
from conformance.worker.exchange import Request
from conformance.worker.session import InlineSession
from tests.support.case_files import entry

CASE = "logits: [[0.5, -0.25, 2], [1, 0, -1]]\ntargets: [0, 2]\nreductions: [mean]\nlayouts: [contiguous]"
OPTIONS = (("axis", None), ("ignore_index", None), ("label_smoothing", None), ("reduction", "mean"))


@pytest.fixture
def dynamo() -> Iterator[Any]:
    """Dynamo's configuration, which is restored; nothing that it has compiled is left."""
    torch = pytest.importorskip("torch")
    torch._dynamo.reset()
    config = torch._dynamo.config
    before = config.recompile_limit, config.accumulated_recompile_limit
    yield config
    config.recompile_limit, config.accumulated_recompile_limit = before
    torch._dynamo.reset()


def asked(rows: int) -> Request:
    logits = np.linspace(-1, 1, 3 * rows, dtype=np.float32).reshape(rows, 3)
    targets = np.arange(rows, dtype=np.int64) % 3
    return Request(0, "cross_entropy", logits, {"targets": targets}, OPTIONS, upstream=np.array(1, np.float32))


def evidence(backend: Backend, *sizes: int) -> ExecutionEvidence:
    """Of calls on logits with so many rows each."""
    seen = InlineSession(backend).run([asked(rows) for rows in sizes])
    assert all(each.failure is None and each.gradient_failure is None for each in seen)
    found = total(each.mode for each in seen)
    assert found is not None and found.calls == len(sizes)
    return found


def outcomes(backend: Backend, folder: Path) -> list[Outcome]:
    return [each for unit in judged(backend, [entry(folder, CASE)], dtypes=["float32"]) for each in unit]


@pytest.mark.parametrize("spec", ["torch:compile", "jax", "tensorflow:graph", "tensorflow:xla"])
def test_a_graph_serves_every_call_of_its_shape(spec: str, dynamo: Any) -> None:
    if importlib.util.find_spec(spec.partition(":")[0]) is None:
        pytest.skip(f"{spec} is not installed")
    found = evidence(create(spec, threads=1), 2, 2, 4)
    assert (found.compiled, found.uncompiled, found.unknown) == (3, 0, 0)
    assert (found.graphs, found.breaks, found.reasons) == (2, 0, {})


@pytest.mark.framework
def test_tensorflow_traces_once_for_any_extents() -> None:
    pytest.importorskip("tensorflow")
    found = evidence(create("tensorflow:dynamic", threads=1), 2, 5, 3, 2)
    assert (found.compiled, found.uncompiled, found.unknown, found.graphs) == (4, 0, 0, 1)


@pytest.mark.parametrize("spec", ["torch", "jax:eager", "tensorflow", "numpy"])
def test_what_is_not_to_be_compiled_needs_no_evidence(spec: str) -> None:
    if importlib.util.find_spec(spec.partition(":")[0]) is None:
        pytest.skip(f"{spec} is not installed")
    (seen,) = InlineSession(create(spec, threads=1)).run([asked(2)])
    assert seen.failure is None and seen.mode is None


@pytest.mark.framework
@pytest.mark.parametrize("name", ["Prints", "ReadsANumber"])
def test_a_broken_graph_is_counted_with_its_reason(name: str, dynamo: Any) -> None:
    from tests.support import uncompiled

    found = evidence(getattr(uncompiled, name)(mode="compile"), 2, 2)
    assert (found.compiled, found.uncompiled) == (2, 0)
    assert found.breaks and sum(found.reasons.values()) == found.breaks
    assert all("\n" not in reason for reason in found.reasons)


@pytest.mark.framework
def test_a_call_that_raises_while_it_is_traced_leaves_those_of_other_options_compiled(dynamo: Any) -> None:
    pytest.importorskip("torch")
    from conformance.backends.adapters.torch import Torch

    class WithoutSmoothing(Torch):
        def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
            self.refuse(label_smoothing=options.get("label_smoothing"))
            return super().cross_entropy(logits, targets, **options)

    backend = WithoutSmoothing(mode="compile")
    smoothed = (*OPTIONS[:2], ("label_smoothing", 0.1), OPTIONS[3])
    (refused,) = InlineSession(backend).run([msgspec.structs.replace(asked(2), options=smoothed)])
    assert refused.failure is not None and refused.failure.kind == "unsupported"
    found = evidence(backend, 2)
    assert (found.compiled, found.uncompiled) == (1, 0)


@pytest.mark.framework
@pytest.mark.parametrize("name", ["Disabled", "DisabledInPart", "Identity"])
def test_a_pass_of_a_loss_that_ran_eagerly_is_unsupported(name: str, tmp_path: Path, dynamo: Any) -> None:
    from tests.support import uncompiled

    backend = getattr(uncompiled, name)(mode="compile")
    found = outcomes(backend, tmp_path)
    missed = [each for each in found if each.reason == "mode-not-used"]
    assert {each.verdict for each in missed} == {"unsupported"}
    assert {"value", "gradient"} <= {each.check for each in missed}
    of_loss = [each for each in found if each.check not in ("composed", "policy")]
    assert Counter(each.verdict for each in of_loss)["pass"] == 0


@pytest.mark.framework
def test_past_the_limit_of_recompilations_a_call_is_not_compiled(dynamo: Any) -> None:
    backend = create("torch:compile", threads=1)
    dynamo.recompile_limit = 1
    found = evidence(backend, 2, 3, 2)
    assert (found.compiled, found.uncompiled) == (2, 1)


@pytest.mark.framework
def test_a_wrong_result_stays_a_fail(tmp_path: Path, dynamo: Any) -> None:
    from tests.support import uncompiled

    class Wrong(uncompiled.Identity):
        def cross_entropy(self, *arguments: object, **options: object) -> object:  # type: ignore[override]
            return super().cross_entropy(*arguments, **options) * 1.5  # type: ignore[arg-type]

    verdicts = {each.check: each.verdict for each in outcomes(Wrong(mode="compile"), tmp_path)}
    assert verdicts["value"] == verdicts["gradient"] == "fail"


@pytest.mark.framework
def test_of_what_compiles_in_its_own_way_nothing_is_known(tmp_path: Path, dynamo: Any) -> None:
    from tests.support import uncompiled

    found = evidence(uncompiled.OwnWay(mode="compile"), 2)
    assert (found.unknown, found.compiled, found.uncompiled) == (1, 0, 0)


@pytest.mark.framework
@pytest.mark.parametrize(("execution", "wrapped"), [("func", True), ("eager", False)])
def test_func_has_torch_func_differentiate_what_eager_gives_to_autograd(execution: str, wrapped: bool) -> None:
    torch = pytest.importorskip("torch")
    from conformance.backends.adapters.torch import Torch

    seen: list[bool] = []

    class Watching(Torch):
        def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
            seen.append(torch._C._functorch.is_gradtrackingtensor(logits))
            return super().cross_entropy(logits, targets, **options)

    twice = msgspec.structs.replace(asked(2), transform="second-backward", tangent=np.array(2, np.float32))
    bent = msgspec.structs.replace(asked(2), transform="second-order", tangent=np.ones((2, 3), np.float32))
    for request in (asked(2), twice, bent):
        (found,) = InlineSession(Watching(mode=execution)).run([request])
        assert found.failure is None and found.gradient_failure is None
        assert seen.pop() == wrapped


@pytest.mark.framework
def test_views_in_front_of_a_compiled_loss_may_be_eager(dynamo: Any) -> None:
    from tests.support import uncompiled

    found = evidence(uncompiled.DisabledViews(mode="compile"), 2)
    assert found.breaks and (found.compiled, found.uncompiled) == (1, 0)


@pytest.mark.framework
@pytest.mark.parametrize("spec", ["jax", "tensorflow:xla"])
def test_a_compiler_of_ones_own_may_give_a_plain_function(spec: str) -> None:
    pytest.importorskip(spec.partition(":")[0])
    backend: Any = create(spec, threads=1)

    class Own(type(backend.runtime)):  # type: ignore[misc]
        def compile(self, function: Any, execution: str) -> Any:
            compiled = super().compile(function, execution)
            return lambda *arguments: compiled(*arguments)

    backend.runtime.__class__ = Own
    found = evidence(backend, 2, 2)
    assert (found.unknown, found.compiled, found.uncompiled) == (2, 0, 0)


@pytest.mark.framework
def test_a_switch_that_turns_compilation_off_is_seen() -> None:
    jax = pytest.importorskip("jax")
    backend = create("jax", threads=1)
    with jax.disable_jit():
        found = evidence(backend, 2)
    assert (found.compiled, found.uncompiled) == (0, 1)


@pytest.mark.framework
def test_tensorflow_that_runs_functions_eagerly_is_seen() -> None:
    tf = pytest.importorskip("tensorflow")
    backend = create("tensorflow:graph", threads=1)
    tf.config.run_functions_eagerly(True)
    try:
        found = evidence(backend, 2)
    finally:
        tf.config.run_functions_eagerly(False)
    assert (found.compiled, found.uncompiled) == (0, 1)


@pytest.mark.framework
def test_jax_that_calls_back_to_python_is_not_compiled(tmp_path: Path) -> None:
    jax = pytest.importorskip("jax")
    from conformance.backends.adapters.jax import Jax

    @jax.custom_vjp
    def copied(x: Any) -> Any:
        return jax.pure_callback(np.asarray, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="sequential")

    copied.defvjp(lambda x: (copied(x), None), lambda _, cotangent: (cotangent,))

    class CallsBack(Jax):
        def cross_entropy(self, logits: Any, *arguments: Any, **options: Any) -> Any:
            jax.debug.print("")  # which computes nothing
            return super().cross_entropy(copied(logits), *arguments, **options)

    found = evidence(CallsBack(mode="jit"), 2, 2)
    assert (found.compiled, found.uncompiled, found.graphs, found.breaks) == (0, 2, 1, 1)
    assert found.reasons == {"pure_callback": 1}
    of_loss = {each.check: each for each in outcomes(CallsBack(mode="jit"), tmp_path)}
    assert {of_loss[check].reason for check in ("value", "gradient")} == {"mode-not-used"}


@pytest.mark.framework
def test_jax_that_runs_on_another_device_than_it_says_is_seen() -> None:
    jax = pytest.importorskip("jax")
    backend = create("jax", threads=1)
    (place,) = jax.devices("cpu")[:1]
    backend.runtime.device.place = "another"
    backend.runtime.tensor = lambda array: jax.device_put(array, place)
    found = evidence(backend, 2)
    assert (found.compiled, found.uncompiled) == (0, 1) and [*found.reasons] == [f"the result lies on {place}"]


@pytest.mark.framework
def test_a_second_backward_pass_of_jax_may_be_the_first_call_of_a_shape() -> None:
    """The value within it is compiled while its derivative is traced, and its results lie on no device."""
    pytest.importorskip("jax")
    request = msgspec.structs.replace(asked(7), transform="second-backward", tangent=np.array(2, np.float32))
    (seen,) = InlineSession(create("jax")).run([request])
    assert seen.failure is None and seen.gradient is not None and seen.gradient.shape == (7, 3)


@pytest.mark.framework
def test_a_second_backward_pass_of_torch_may_follow_a_gradient_of_that_shape(dynamo: Any) -> None:
    """Its backward pass was compiled for a single use by then: it raises, or a cache gives it, and it overwrites."""
    logits = np.linspace(-1, 2, 15, dtype=np.float32).reshape(3, 5)
    targets = np.full((3, 5), 0.2, np.float32)
    former, upstream = np.array([2, -1, 3], np.float32), np.array([1, 0.5, -2], np.float32)
    options = (*OPTIONS[:3], ("reduction", "none"))
    once = Request(0, "cross_entropy", logits, {"targets": targets}, options, upstream=upstream)
    twice = msgspec.structs.replace(once, transform="second-backward", tangent=former)
    first, second = InlineSession(create("torch:compile", threads=1)).run([once, twice])
    assert second.failure is None and first.gradient is not None and second.gradient is not None
    np.testing.assert_allclose(second.gradient, first.gradient, rtol=1e-6)


@pytest.mark.framework
def test_a_graph_of_tensorflow_that_calls_python_is_not_compiled() -> None:
    tf = pytest.importorskip("tensorflow")
    from conformance.backends.adapters.tensorflow import TensorFlow

    class CallsBack(TensorFlow):
        def cross_entropy(self, logits: Any, *arguments: Any, **options: Any) -> Any:
            copied = tf.ensure_shape(tf.py_function(tf.identity, [logits], logits.dtype), logits.shape)
            return super().cross_entropy(copied, *arguments, **options)

    found = evidence(CallsBack(mode="graph"), 2, 2)
    assert (found.compiled, found.uncompiled, found.graphs) == (0, 2, 1) and "EagerPyFunc" in found.reasons
    (seen,) = InlineSession(CallsBack(mode="xla")).run([asked(2)])
    assert seen.failure is not None and seen.failure.type == "InvalidArgumentError"  # XLA has no such operation


@pytest.mark.framework
def test_a_graph_that_xla_is_not_asked_to_compile_is_not_the_mode_xla() -> None:
    pytest.importorskip("tensorflow")
    from conformance.backends.adapters.tensorflow import TensorFlow
    from conformance.backends.runtimes.tensorflow import TensorFlowRuntime

    class Graphs(TensorFlowRuntime):
        def compile(self, function: Any, execution: str) -> Any:
            return super().compile(function, "graph")

    class AsAGraph(TensorFlow):
        runs_on = Graphs

    found = evidence(AsAGraph(mode="xla"), 2)
    assert (found.compiled, found.uncompiled) == (0, 1) and [*found.reasons] == ["XLA is not asked to compile it"]


@pytest.mark.framework
def test_of_a_tensorflow_that_does_not_say_what_xla_must_compile_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.setattr("conformance.backends.runtimes.tensorflow.MUST_COMPILE", "_NamedOtherwise")
    found = evidence(create("tensorflow:xla", threads=1), 2)
    assert (found.unknown, found.compiled, found.uncompiled) == (1, 0, 0)


@pytest.mark.framework
def test_xla_compiles_the_whole_of_a_function_or_raises() -> None:
    """All that is known of the mode: what TensorFlow promises of a function of ``jit_compile=True``."""
    tf = pytest.importorskip("tensorflow")
    runtime = create("tensorflow:xla", threads=1).runtime
    x = tf.constant([[0.5, -0.25, 2.0]])
    compiled = runtime.compile(lambda x: -tf.nn.log_softmax(x)[:, 0], "xla")
    program = compiled.experimental_get_compiler_ir(x)(stage="optimized_hlo")
    assert program.startswith("HloModule") and "exponential" in program and compiled(x).shape == (1,)

    def beyond_xla(x: Any) -> Any:
        return tf.strings.length(tf.strings.as_string(tf.nn.log_softmax(x)))

    assert runtime.compile(beyond_xla, "graph")(x).shape == (1, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="XLA_CPU_JIT"):
        runtime.compile(beyond_xla, "xla")(x)
