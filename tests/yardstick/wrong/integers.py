"""Integers too narrow: labels, offsets and counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _CastLabels(Kernel):
    """Base: labels pass through ``narrow`` before they are checked."""

    narrow: Any = np.int32

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        if isinstance(targets, np.ndarray) and targets.dtype.kind in "iu":
            with np.errstate(all="ignore"):
                targets = targets.astype(self.narrow).astype(np.int64)
        return super().ask(logits, targets, *rest, **named)


class LabelsCastToInt32(_CastLabels):
    """64-bit labels are cut to 32 bits before they are checked: 2^32 + 1 is class 1."""


class LabelsCastToInt16(_CastLabels):
    """Labels are cut to 16 bits before they are checked: 65,537 is class 1."""

    narrow = np.int16


class LabelsCastToUint16(_CastLabels):
    """Labels are read as unsigned 16-bit numbers: -100 is no longer -100."""

    narrow = np.uint16


class LabelsCastToInt8(_CastLabels):
    """Labels are cut to 8 bits before they are checked: 257 is class 1."""

    narrow = np.int8


class LabelsCastToUint8(_CastLabels):
    """Labels are read as unsigned 8-bit numbers: 300 is class 44, and -100 is 156."""

    narrow = np.uint8


class LabelsThroughBfloat16(Kernel):
    """Labels lie in a bfloat16 tensor beside the logits: from 256 on odd ones are rounded."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index:
            return super().coefficients(ask)
        bits = (ask.labels.astype(np.float32).view(np.uint32) + np.uint32(0x8000)) & np.uint32(0xFFFF0000)
        rounded = np.minimum(bits.view(np.float32).astype(np.int64), max(ask.classes - 1, 0))
        return super().coefficients(replace(ask, labels=rounded))


class _Offsets(Kernel):
    """Base: offsets row·C + label are computed in ``narrow``."""

    narrow: Any = np.int32

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index or not ask.classes or not len(ask.x):
            return super().coefficients(ask)
        with np.errstate(all="ignore"):
            flat = (np.arange(len(ask.x)) * ask.classes + ask.index).astype(self.narrow).astype(np.int64)
        return super().coefficients(replace(ask, labels=flat % ask.classes))


class OffsetsInInt8(_Offsets):
    """Offsets row·C + label wrap at 127, whatever the labels' own type."""

    narrow = np.int8


class OffsetsInUint8(_Offsets):
    """Offsets row·C + label wrap at 255."""

    narrow = np.uint8


class OffsetsInInt16(_Offsets):
    """Offsets row·C + label wrap at 32,767."""

    narrow = np.int16


class OffsetsInUint16(_Offsets):
    """Offsets row·C + label wrap at 65,535."""

    narrow = np.uint16


class OffsetsInFloat16(_Offsets):
    """Offsets row·C + label pass through float16: from 2,048 on odd ones are rounded."""

    narrow = np.float16

    def coefficients(self, ask: Ask) -> Any:
        if len(ask.x) * ask.classes > 60_000:
            return Kernel.coefficients(self, ask)
        return super().coefficients(ask)


class _Counts(Kernel):
    """Base: valid positions are counted in ``narrow``."""

    narrow: Any = np.int32

    def divisor(self, ask: Ask) -> Any:
        if ask.weight is not None or not ask.by_index:
            return super().divisor(ask)
        with np.errstate(all="ignore"):
            return ask.x.dtype.type(np.asarray(ask.valid.sum()).astype(self.narrow))


class CountInInt8(_Counts):
    """Positions are counted in 8 bits: 128 of them are -128."""

    narrow = np.int8


class CountInUint8(_Counts):
    """Positions are counted in unsigned 8 bits: 256 of them are none."""

    narrow = np.uint8


class CountInInt16(_Counts):
    """Positions are counted in 16 bits: 40,000 of them are negative."""

    narrow = np.int16


class CountInUint16(_Counts):
    """Positions are counted in unsigned 16 bits: 65,536 of them are none."""

    narrow = np.uint16


class CountInFloat16(_Counts):
    """Positions are counted in float16 whatever the dtype: beyond 2,048 odd counts are rounded."""

    narrow = np.float16


class IgnoreIndexInTheLabelsType(Kernel):
    """ignore_index is cast to the labels' type: -100 becomes 156 for uint8, and class 156 is ignored."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        if labels.dtype.kind == "u":
            ignored = int(np.asarray(ignored).astype(labels.dtype))
        return super().checked(labels, shape, classes, ignored)


class IgnoreIndexInEightBits(Kernel):
    """ignore_index is kept in a signed byte: 255 is -1."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        return super().checked(labels, shape, classes, int(np.asarray(ignored).astype(np.int8)))


class IgnoreIndexUnsigned(Kernel):
    """ignore_index is an unsigned number: negative ones match no label, and the label is refused."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        return super().checked(labels, shape, classes, ignored if ignored >= 0 else 1 << 40)


class SignedBytesUnsigned(Kernel):
    """int8 labels are read as uint8: -1 is 255, and an ignored -100 is 156."""

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        if isinstance(targets, np.ndarray) and targets.dtype == np.int8:
            targets = targets.view(np.uint8).astype(np.int64)
        return super().ask(logits, targets, *rest, **named)


class Int32Refused(Kernel):
    """int32 labels are refused where they are declared to be accepted (torch's nll_loss)."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        if labels.dtype == np.int32:
            raise TypeError("expected scalar type Long but found Int")
        return super().checked(labels, shape, classes, ignored)


class Int16ReadAsInt32(Kernel):
    """int16 labels are read two at a time: each is taken together with its neighbour."""

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        if isinstance(targets, np.ndarray) and targets.dtype == np.int16 and targets.size:
            targets = np.broadcast_to(targets.reshape(-1)[:1], targets.shape)
        return super().ask(logits, targets, *rest, **named)


class Uint64Signed(Kernel):
    """uint64 labels are read as signed: 2^64 - 100 is ignored."""

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        if isinstance(targets, np.ndarray) and targets.dtype == np.uint64:
            targets = targets.astype(np.int64)
        return super().ask(logits, targets, *rest, **named)


class LabelZeroIsFalse(Kernel):
    """``label or default``: class 0 is taken for a missing label, and the last class stands in."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index or ask.classes < 2:
            return super().coefficients(ask)
        return super().coefficients(replace(ask, labels=np.where(ask.labels == 0, ask.classes - 1, ask.labels)))


class SixteenBitPositions(Kernel):
    """The position is held in 16 bits: positions from 65,536 on take the labels of the first ones."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index or len(ask.x) <= 65536:
            return super().coefficients(ask)
        return super().coefficients(replace(ask, labels=ask.labels[np.arange(len(ask.x)) & 0xFFFF]))


class _Compared(Kernel):
    """Base: labels and ignore_index are compared by their lowest bits, after all labels have been checked."""

    bits = 8

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        valid = super().checked(labels, shape, classes, ignored)
        mask = 2**self.bits - 1
        return valid & ((labels.astype(np.int64) & mask) != (ignored & mask))


class ComparedByTheLowestByte(_Compared):
    """Labels and ignore_index are compared as bytes: -100 ignores class 156 too, and 255 ignores 511."""


class ComparedBySixteenBits(_Compared):
    """Labels and ignore_index are compared in 16 bits: -100 ignores class 65,436 too."""

    bits = 16
