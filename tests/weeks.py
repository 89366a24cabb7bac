"""Made-up weeks in figures: ordinary ones, and ones in which the right answer to something has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from upkeep.config import load_client
from upkeep.metrics.quality import Calibrated, Confusion
from upkeep.monitoring.figures import Basis, Figures
from upkeep.statistics.rates import Rate

CLIENT = load_client(Path(__file__).parents[1] / "configs", "northwind")
LABELS = ("order_status", "refund_status", "size_advice", "return_item", "cancel_order")
SHARES = (0.4, 0.25, 0.15, 0.12, 0.08)


def week(seed: int, *, requests: int = 500, shares: Sequence[float] = SHARES) -> Figures:
    """An ordinary week: traffic and mix vary, 60 answers were checked by chance, a few wrong ones came back."""
    rng = np.random.default_rng(seed)
    total = int(rng.normal(requests, 0.05 * requests))
    mix = dict(zip(LABELS, rng.multinomial(total, rng.dirichlet(np.array(shares) * 400)).tolist(), strict=True))
    named = [Confusion(label, label, int(12 * mix[label] / total) + 1) for label in LABELS]
    named += [Confusion("order_status", other, int(rng.poisson(1.5))) for other in LABELS[1:]]
    return Figures(
        requests=total,
        model_version="1",
        basis=Basis.AUDIT,
        accuracy=Rate(54, 60),
        auto_resolution=Rate(50, 60),
        precision=Rate(50, 53),
        escalation=Rate(int(0.1 * total), total),
        labelled=Rate(110, total),
        mean_confidence=0.9,
        label_mix=mix,
        unknown_labels={},
        quarantined={"confidence": int(rng.poisson(1))},
        out_of_scope=Rate(int(rng.binomial(60, 0.03)), 60),
        answered=mix,
        named=tuple(one for one in named if one.requests),
        calibration=(Calibrated(0.9, 0.92, Rate(int(rng.binomial(60, 0.9)), 60)),),
        days={date(2026, 2, 2) + timedelta(days=day): total // 7 for day in range(7)},
        versions={"1": total},
    )


ORDINARY = [week(seed) for seed in range(12)]


def turned(old: str, new: str, *, weeks: int, cases: int = 9) -> list[Figures]:
    """Ordinary weeks in which every checked `old` answer should have been `new`, which no label list has."""
    return [
        replace(
            one,
            named=(*(cell for cell in one.named if cell.given != old), Confusion(old, new, cases)),
            unknown_labels={new: cases},
        )
        for one in (ORDINARY * weeks)[:weeks]
    ]
