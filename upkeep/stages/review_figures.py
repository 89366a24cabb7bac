"""What did a week come to beside its judged figures, in lines that a person can read?"""

from __future__ import annotations

from collections.abc import Iterator

from upkeep.counts import count_of
from upkeep.metrics.quality import LabelQuality, calibration_error, macro_f1, worst_labels
from upkeep.monitoring.figures import NO_VALUE, Figures, Slice
from upkeep.statistics.rates import Rate

SHOWN_LABELS = 3
SHOWN_VALUES = 5


def measured(figures: Figures) -> Iterator[str]:
    """Labels and how late they come, what is in no figure, quality over all labels, speed, worst labels, and slices."""
    if figures.labelled.n:
        half, most = figures.delay_at(0.5), figures.delay_at(0.9)
        when = "" if half is None or most is None else f"; {_came(half, most)}"
        yield f"labelled: {figures.labelled.hits:,} of {figures.labelled.n:,} requests{when}"
    yield from _left_out(figures)
    quality = over_all_labels(figures)
    if quality:
        yield f"quality over all labels: {', '.join(quality)}"
    for speed in _speed("half", figures):
        yield f"latency: {speed}"
    worst = worst_labels(figures.confusion, SHOWN_LABELS)
    yield from (f"most errors: {name!r}, {label_quality(one)}" for name, one in worst.items())
    for key, values in figures.slices.items():
        if values.keys() == {NO_VALUE}:
            yield f"review_by: no request has a text, a whole number or a flag under {key!r} in its metadata"
            continue
        yield from (f"{key} {value}: {_slice(one)}" for value, one in list(values.items())[:SHOWN_VALUES])


def _left_out(figures: Figures) -> Iterator[str]:
    """The requests that other versions answered than the one that the week is counted for."""
    of = f"of {count_of(figures.requests, 'request')}, answered by version"
    for version, one in list(figures.left_out.items())[:SHOWN_VALUES]:
        quality = f"accuracy {one.accuracy}" if one.accuracy.n else "accuracy not known"
        what = f"{one.requests:,} {of} {version}, {one.labelled:,} of them labelled, {quality}"
        yield f"in none of the figures of quality, which are of version {figures.model_version}: {what}"
    more = list(figures.left_out.values())[SHOWN_VALUES:]
    if more:
        requests, versions = sum(one.requests for one in more), count_of(len(more), "more version")
        yield f"in none of the figures of quality either: {count_of(requests, 'request')} of {versions}"


def _came(half: int, most: int) -> str:
    if half == most:
        return f"nine in ten came within {_days(most)}"
    return f"half came within {_days(half)}, nine in ten within {_days(most)}"


def _days(days: int) -> str:
    """Labels that came within `days` whole days, and less than one more."""
    return "a day" if not days else f"{days + 1} days"


def over_all_labels(figures: Figures) -> list[str]:
    """Macro-F1 and calibration error, as far as they are known."""
    return _quality(macro_f1(figures.confusion), calibration_error(figures.calibration))


def _quality(f1: float | None, error: float | None) -> list[str]:
    told = [f"macro-F1 {f1:.2f}"] if f1 is not None else []
    return told + ([f"calibration error {100 * error:.1f} points"] if error is not None else [])


def _speed(half: str, one: Figures | Slice) -> list[str]:
    if one.latency_p50_ms is None or one.latency_p95_ms is None:
        return []
    half_ms, most_ms = (f"{float(f'{ms:.2g}'):,.12g}" for ms in (one.latency_p50_ms, one.latency_p95_ms))
    return [f"{half} within about {half_ms} ms, 95 % within about {most_ms} ms"]


def label_quality(one: LabelQuality) -> str:
    """How often a label was right, and found where it was, as people read it."""
    return f"{_of(one.precision)} such answers right, {_of(one.recall)} such requests found"


def slice_quality(one: Slice) -> list[str]:
    """How good the answers of a slice are, as far as that is known."""
    told = [(one.accuracy, "right"), (one.auto_resolution, "right without a person")]
    rates = (f"{_of(rate)} {what}" for rate, what in told if rate.n)
    return [*rates, *_quality(one.macro_f1, one.calibration_error)]


def _slice(one: Slice) -> str:
    return ", ".join([count_of(one.requests, "request"), *slice_quality(one), *_speed("half answered", one)])


def _of(rate: Rate) -> str:
    return f"{rate.hits:,} of {rate.n:,}"
