"""What is judged once for alike answers is what each would have been judged alone."""

from __future__ import annotations

import pytest

from conformance.run.judged import open_backend
from tests.yardstick.exact import RIGHT
from tests.yardstick.registry import subject, suite, title
from tests.yardstick.trial import Trial
from tests.yardstick.wrong import sums, transforms


@pytest.mark.yardstick
def test_alike_answers_get_the_outcomes_that_each_would_get_alone() -> None:
    wrong = [kind for kind in vars(sums).values() if getattr(kind, "__module__", "") == sums.__name__][:3]
    kinds = [RIGHT[0], *wrong, transforms.TangentWithoutWeight]
    trial = Trial(suite()[40:400:60], ("float32", "bfloat16"))
    together = [(title(kind), o.case, o.dtype, o.reduction, o.check, o.verdict) for kind, o in trial.outcomes(kinds)]
    alone = []
    for plan in trial.plans():
        opened = [(kind, open_backend(kind(), subject=subject(kind))) for kind in kinds]
        for portion in plan.portions:
            for kind, backend in opened:
                for unit in backend.judge(portion).units:
                    alone += [(title(kind), o.case, o.dtype, o.reduction, o.check, o.verdict) for o in unit]
    assert together == alone and len({each[0] for each in alone}) == len(kinds)
