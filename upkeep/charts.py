"""How do a client's weekly figures become lines in MLflow?

One run per week in the experiment `<client>/reviews`; every metric's step is the week, 202607 for 2026-W07, so that the
runs' charts, taken together, are the client's history.
"""

from __future__ import annotations

from upkeep.desk import Desk
from upkeep.monitoring import Metric, Review, Status
from upkeep.quality import calibration_error, macro_f1

PART = "reviews"
TAG = "upkeep.week"
RATES = (*(metric.value for metric in Metric), "labelled")


def chart_review(desk: Desk, found: Review) -> None:
    """Log a review's figures, each rate with its interval and n. A week that is there already is left alone."""
    if desk.registry.has_run(PART, TAG, found.week):
        return
    tags = {TAG: found.week, "upkeep.client": found.client, "upkeep.stage": "review"}
    with desk.registry.run(f"review {found.week}", tags, part=PART) as run:
        run.params({"week": found.week, "model_version": found.figures.model_version, "basis": found.figures.basis})
        run.metrics(_metrics(found), step=int(found.week.replace("-W", "")))
        run.text("findings.md", "\n".join(f"- **{one.status.value}**: {one.text}" for one in found.findings) + "\n")


def _metrics(found: Review) -> dict[str, float]:
    """What is known of the week; a rate of nothing is left out, it is not zero."""
    counted: dict[str, float] = {
        "requests": found.figures.requests,
        "quarantined": sum(found.figures.quarantined.values()),
        "alarms": sum(finding.status is Status.ALERT for finding in found.findings),
    }
    seen = found.figures
    single = {
        "mean_confidence": seen.mean_confidence,
        "calibration_error": calibration_error(seen.calibration),
        "macro_f1": macro_f1(seen.confusion),
        "estimated_accuracy": found.estimate.value if found.estimate else None,
        "unknown_words": found.inputs.words.value if found.inputs else None,
        "latency_p50_ms": seen.latency_p50_ms,
        "latency_p95_ms": seen.latency_p95_ms,
    }
    if found.generated:
        means = {"token_f1": found.generated.token_f1, "chrf": found.generated.chrf, "words": found.generated.words}
        single |= {name: mean.value for name, mean in means.items() if mean}
        single |= {"exact_match": found.generated.exact.value, "refusals": found.generated.refusals.value}
    counted |= {name: value for name, value in single.items() if value is not None}
    for name in RATES:
        rate = getattr(found.figures, name)
        if rate.value is not None:
            low, high = rate.interval()
            counted |= {name: rate.value, f"{name}/low": low, f"{name}/high": high, f"{name}/n": rate.n}
    return counted
