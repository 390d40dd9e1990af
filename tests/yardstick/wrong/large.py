"""Features lost beyond a tile of classes: right for the widths that tests are written with, wrong for a vocabulary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class UniformShareOfTheFirstTile(Kernel):
    """The log-probabilities that label smoothing sums up are those of the first tile of 2,048 classes only."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if not ask.smoothing or not ask.by_index:
            return super().losses(ask, a, log_probabilities)
        places = np.arange(ask.classes)
        kept = (places < 2048) | (places == ask.index[:, np.newaxis])
        return super().losses(ask, np.where(kept, a, 0), log_probabilities)


class UniformShareMissingInTheLastTile(Kernel):
    """The gradient's last, partial tile of 4,096 classes is written by a branch without label smoothing."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        if ask.smoothing and ask.by_index and ask.classes > 4096:
            start = ask.classes // 4096 * 4096
            found[:, start:] += np.broadcast_to(self.uniform(ask), found.shape)[:, start:]
        return found


class WeightTableOf2048(Kernel):
    """The weights lie in a table in fast memory that holds 2,048: classes beyond it weigh 1."""

    def weights(self, ask: Ask) -> Any:
        found = super().weights(ask)
        return found if ask.weight is None else np.where(np.arange(ask.classes) < 2048, found, found.dtype.type(1))


class LastTileOfProbabilitiesOnly(Kernel):
    """Probability targets: every tile of 1,024 classes stores its part of the sum where it should add it."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if ask.by_index or ask.classes <= 2048:
            return super().losses(ask, a, log_probabilities)
        last = (ask.classes - 1) // 1024 * 1024
        return super().losses(ask, a[:, last:], log_probabilities[:, last:])


class NllLossLabelWithinItsTile(Kernel):
    """nll_loss gathers with the label's place within its tile of 4,096, and forgets the tile's start."""

    def nll_loss(self, log_probabilities: Any, targets: Any, *, axis: int | None, **options: Any) -> Any:
        wide = log_probabilities.ndim > 0 and log_probabilities.shape[self.axis(log_probabilities, axis)] > 4096
        if wide and targets.dtype.kind in "iu":
            targets = np.where(targets >= 4096, targets % 4096, targets).astype(targets.dtype)
        return super().nll_loss(log_probabilities, targets, axis=axis, **options)


class CountOfAllWhereWide(Kernel):
    """Beyond 2,048 classes the mean's divisor comes from the grid's size: ignored positions count."""

    def divisor(self, ask: Ask) -> Any:
        if ask.by_index and ask.weight is None and ask.classes > 2048:
            return ask.x.dtype.type(len(ask.x))
        return super().divisor(ask)


class TilesOfSmallGradientsSkipped(Kernel):
    """A tile of 128 by 128 gradients that are all below 2^-12 is skipped (cut-cross-entropy#14)."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        if len(found) <= 4:
            return found
        for row in range(0, found.shape[0], 128):
            for start in range(0, found.shape[1], 128):
                tile = found[row : row + 128, start : start + 128]
                if (np.abs(tile) < 2.0**-12).all():
                    tile[...] = 0
        return found


class OneHotMissingInTheLastTile(Kernel):
    """The last, partial tile of 1,024 classes stores its gradient without the one-hot part."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        start = ask.classes // 1024 * 1024
        if ask.by_index and not ask.smoothing and start > 0:
            found[:, start:] += a[:, start:]
        return found


class MassOfTheFirstTile(Kernel):
    """The coefficients' sum, by which the gradient scales the softmax, stops at 512 classes, and at the label's own."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        if ask.classes <= 512 or not ask.smoothing:
            return super().slope(ask, a, p)
        kept = np.arange(ask.classes) < 512
        if ask.by_index:
            kept = kept | (np.arange(ask.classes) == ask.index[:, np.newaxis])
        return self.total(np.where(kept, a, 0))[:, np.newaxis] * p - a


class SmoothingOverThePaddedVocabulary(Kernel):
    """The vocabulary is padded to a multiple of 64, and epsilon spread over the padded number of classes."""

    def uniform(self, ask: Ask) -> Any:
        found = super().uniform(ask)
        padded = -(-ask.classes // 64) * 64
        return found * found.dtype.type(ask.classes / padded) if ask.classes > 1000 else found


class FourRowsShareTheShift(Kernel):
    """Wide rows go four at a time: from the fifth row on the shift is far above the row's own maximum."""

    def top(self, x: Any) -> Any:
        found = super().top(x)
        if x.shape[1] <= 1024 or len(x) <= 4:
            return found
        return np.concatenate([found[:4], found[:-4] + x.dtype.type(200)])


class WeightOfTheLabelsTile(Kernel):
    """Beyond 1,024 classes the weight is gathered with the label's place within its tile."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index or ask.weight is None or ask.classes <= 1024:
            return super().coefficients(ask)
        plain = super().coefficients(replace(ask, weight=None, smoothing=0.0))
        if ask.smoothing:
            return super().coefficients(ask)
        return plain * self.weights(ask)[ask.index % 1024][:, np.newaxis]
