"""How do a client's weekly figures become lines in MLflow?

One run per week in the experiment `<client>/reviews`. Each carries the HISTORY weeks up to its own as they were known
then, labels that came in late included: the charts of any run are the client's history at that review. A metric's step
is the number of the client's week, 1 for the first that was reviewed, and its time is the end of the week. A table of
runs shows of each metric the newest there is: `accuracy_of` says of which week that is. No name has
a prefix: MLflow would show what has one before the figures themselves. The week's slices are a table, no metrics: of a
key with many values these would hide the others. It has the newest labelled week's too, whose sheet is back.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from functools import partial

from upkeep.adapters.registry import Point
from upkeep.config import Client
from upkeep.desk import Desk
from upkeep.metrics.generated import Generated
from upkeep.metrics.quality import calibration_error, macro_f1
from upkeep.monitoring.edge_cases import BY_CHANCE, Edges
from upkeep.monitoring.figures import OTHERS, Figures, Slice
from upkeep.monitoring.judgement import Metric, Status
from upkeep.monitoring.review import Review, answers_as_known, as_known
from upkeep.periods import week
from upkeep.redaction import inert
from upkeep.stages.known_by_now import Known, in_lines, known_by_now, no_label_fits
from upkeep.stages.monitoring import reviewed_weeks, reviews
from upkeep.stages.review_figures import measured
from upkeep.stages.telling import telling
from upkeep.statistics.rates import Rate

PART = "reviews"
TAG = "upkeep.week"
HISTORY = 26
RATES = (*(metric.value for metric in Metric), "labelled")
OF_SLICES = ("macro_f1", "calibration_error", "latency_p50_ms", "latency_p95_ms")


def chart_review(desk: Desk, found: Review) -> None:
    """Log a review's figures, and those of each of the HISTORY weeks up to it that has no run: MLflow was down then.

    The oldest first. A week that is there already is left alone; of two runs at once one charts it.
    """
    weeks = reviewed_weeks(desk, upto=found.week)[-HISTORY:]
    years = sorted({key[:4] for key in weeks})
    there = {key for year in years for key in desk.registry.tagged(PART, TAG, f"{year}-")}
    for key in weeks:
        if key not in there:
            with telling(desk.store, f"{PART}/{key}", partial(desk.registry.has_run, PART, TAG, key)) as to_chart:
                if to_chart:
                    _chart(desk, key)


def _chart(desk: Desk, key: str) -> None:
    """Log the figures of a week's review, each rate with its interval and n."""
    weekly = reviews(desk, upto=key, newest=HISTORY)
    found, first = weekly[-1], len(reviewed_weeks(desk, upto=key)) - HISTORY + 1
    known, answers = dict(as_known(weekly, found.recounted)), answers_as_known(weekly)

    def metrics(one: Review) -> dict[str, float]:
        seen = known[one.week]
        return _metrics(one, seen, answers.get(one.week), no_label_fits(seen, desk.client))

    tags = {TAG: found.week, "upkeep.client": found.client, "upkeep.stage": "review"}
    with desk.registry.run(f"review {found.week}", tags, part=PART) as run:
        run.params({"week": found.week, "model_version": found.figures.model_version, "basis": found.figures.basis})
        run.params({"accuracy_of": next((one.week for one in weekly[::-1] if known[one.week].accuracy.n), None)})
        points = [
            Point(metrics(one), number, week(one.week, desk.zone).end)
            for number, one in enumerate(weekly, start=max(first, 1))
        ]
        run.history(points)
        before = known_by_now(weekly, desk.client)
        run.text("findings.md", "".join(f"{inert(line)}\n" for line in _findings(found, before, desk.client)))
        rows = [*_by_value(found.week, found.figures.slices, found.edges)]
        rows += _by_value(before.week, before.figures.slices, before.edges) if before else ()
        if rows:
            run.table("slices.json", {name: [row[name] for row in rows] for name in rows[0]})


def _findings(found: Review, before: Known | None, client: Client) -> Iterator[str]:
    yield from (f"- **{one.word}**: {one.text}" for one in found.findings)
    yield from (f"- **past alarm**: {one}" for one in found.past_alarms)
    yield from (f"- **worse than agreed**: {one}" for one in found.worse_left_out)
    yield from in_lines(before, found.figures.model_version, client) if before else ()
    yield from (f"- {line}" for line in measured(found.figures))


def _by_value(week: str, slices: Mapping[str, Mapping[str, Slice]], edges: Edges | None) -> Iterator[dict[str, object]]:
    """The figures of each slice of a week, under the names that they have as metrics; nothing where nobody knows."""
    for key, values in slices.items():
        for value, one in values.items():
            odd = _odd(edges.by.get(key, {}) if edges else {}, value, values)
            yield {"week": week} | _row(key, value, one) | _edges(odd)


def _odd(shares: Mapping[str, Rate], value: str, shown: Container[str]) -> Rate:
    """How many of a slice's requests are edge cases, of those looked at, whatever version answered."""
    of = [one for name, one in shares.items() if name == value or (value == OTHERS and name not in shown)]
    return sum(of, Rate(0, 0))


def _edges(odd: Rate) -> dict[str, object]:
    return {"edge_cases": odd.value, "edge_cases_n": odd.n}


def _row(key: str, value: str, one: Slice) -> dict[str, object]:
    row: dict[str, object] = {"key": key, "value": value, "requests": one.requests}
    for metric in Metric:
        rate = getattr(one, metric)
        row |= {metric.value: rate.value, f"{metric}_n": rate.n}
    return row | {name: getattr(one, name) for name in OF_SLICES}


def _metrics(found: Review, seen: Figures, answers: Generated | None, unfit: Rate) -> dict[str, float]:
    """What is known of the week; a rate of nothing is left out, it is not zero.

    How many requests no label fits (`unfit`) is a count beside its n: who says what is right of mostly errors tells no
    share of all.
    """
    counted: dict[str, float] = {
        "requests": seen.requests,
        "quarantined": sum(seen.quarantined.values()),
        "alarms": sum(finding.status is Status.ALERT for finding in found.findings),
        "changes": len(found.changes),
    }
    single = {
        "mean_confidence": seen.mean_confidence,
        "calibration_error": calibration_error(seen.calibration),
        "macro_f1": macro_f1(seen.confusion),
        "estimated_accuracy": found.estimate.value if found.estimate else None,
        "unknown_words": found.inputs.words.value if found.inputs else None,
        "latency_p50_ms": seen.latency_p50_ms,
        "latency_p95_ms": seen.latency_p95_ms,
        "label_delay_p50_days": seen.delay_at(0.5),
        "label_delay_p90_days": seen.delay_at(0.9),
        "stray_outcomes": found.strays.value if found.strays else None,
    }
    if unfit.n:
        counted |= {"no_label_fits": unfit.hits, "no_label_fits_n": unfit.n}
    if found.edges and found.edges.looked:
        shares = {name: found.edges.counts.get(name, 0) / found.edges.looked for name in BY_CHANCE}
        counted |= {f"edge_cases_{name.replace(' ', '_')}": share for name, share in shares.items()}
    if answers:
        means = {"token_f1": answers.token_f1, "chrf": answers.chrf, "words": answers.words}
        single |= {name: mean.value for name, mean in means.items() if mean}
        single |= {"exact_match": answers.exact.value, "refusals": answers.refusals.value}
    counted |= {name: value for name, value in single.items() if value is not None}
    for name in RATES:
        rate = getattr(seen, name)
        if rate.value is not None:
            low, high = rate.interval()
            counted |= {name: rate.value, f"{name}_low": low, f"{name}_high": high, f"{name}_n": rate.n}
    return counted
