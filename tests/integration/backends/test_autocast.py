"""PyTorch within ``torch.autocast``: the losses of half types come in float32, with its accuracy; the rest stays."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.backends.contract import Call
from conformance.backends.discovery import create
from conformance.cases.load import load_suite
from conformance.cases.select import select
from conformance.model.backend import BackendId
from conformance.places import CASES, PROFILES
from conformance.profiles.load import load_profile
from conformance.profiles.subject import Subject
from conformance.run.judged import judged

pytestmark = pytest.mark.framework
OPTIONS = (("axis", 1), ("reduction", "none"))


@pytest.mark.parametrize("option", ["", "autocast-bfloat16", "autocast-float16"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_the_losses_of_half_types_come_in_float32(option: str, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    backend = create(f"torch:{option}".rstrip(":"), threads=1)
    logits = torch.tensor([[0.5, -1.25, 2.0]], dtype=getattr(torch, dtype))
    loss = Call("cross_entropy", {"targets": torch.tensor([1])}, OPTIONS)
    value, gradient = backend.differentiate(loss, logits, torch.ones(1, dtype=logits.dtype))
    wide = torch.float32 if option and dtype.endswith("float16") else logits.dtype
    assert (value.dtype, gradient.dtype) == (wide, logits.dtype)
    assert backend.evaluate(Call("softmax", {}, OPTIONS[:1]), logits).dtype == logits.dtype
    assert value.item() == pytest.approx(3.48262, abs=1e-4 if wide in (torch.float32, torch.float64) else 0.02)
    assert backend.settings()["autocast"] == (option.removeprefix("autocast-") or "off")
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize(("option", "verdict"), [("autocast-bfloat16", "deviation"), ("", "pass")])
def test_what_the_profile_declares_of_it_is_observed(option: str, verdict: str) -> None:
    pytest.importorskip("torch")
    entries = select(load_suite([CASES / "precision"]).entries, expression="ordinary-", dtypes=("float16",))
    identity = BackendId(name="t", version="2.13.0", device="cpu", execution="eager", precision=option)
    subject = Subject("t", identity, load_profile(PROFILES / "torch.yaml"))
    backend: Any = create(f"torch:{option}".rstrip(":"), threads=1)
    found = [each for unit in judged(backend, entries, dtypes=("float16",), subject=subject) for each in unit]
    losses = [each for each in found if each.op == "cross_entropy"]
    assert {each.verdict for each in losses if each.check in ("value", "policy")} == {verdict}
    assert {each.verdict for each in found if each.check == "gradient" or each.op != "cross_entropy"} == {"pass"}
