"""What does a window of the log come to, in figures?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, tzinfo
from enum import StrEnum

from upkeep.config import Client
from upkeep.counts import count_of
from upkeep.log.entries import LogWindow, OutcomeSource
from upkeep.log.tally import SCALE, Cell, Tally, Timed, latency_at, tally, time_of
from upkeep.metrics.quality import (
    Calibrated,
    Confusion,
    Group,
    by_label,
    calibration,
    calibration_error,
    confusion,
    macro_f1,
)
from upkeep.redaction import redact_answer, shown
from upkeep.statistics.rates import Rate, WeightedRate

NEARLY_ALL = 0.9
ALL_BUT_FEW = 0.99
"""From this coverage on what is not labelled cannot matter, whatever an audit says of it."""
ENOUGH_AUDITED = 0.25
"""Of the client's minimum of labels, which four weeks together must have."""
SLICES = 20
OTHERS = "(others)"
NO_VALUE = "(none)"


class Basis(StrEnum):
    """Which labelled requests a rate was counted on."""

    AUDIT = "random audit sample"
    ALL = "all requests, nearly all labelled"
    NONE = "no unbiased labels"


@dataclass(frozen=True, slots=True)
class Slice:
    """The requests that share a value of a metadata key; quality is counted as in the whole, latency on all of them.

    What nobody knows is None; records written before macro-F1 and the rest were counted have None too.
    """

    requests: int
    accuracy: Rate
    auto_resolution: Rate
    precision: Rate
    escalation: Rate
    macro_f1: float | None = None
    calibration_error: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The requests of a week that a version answered for which the week is not counted; rates are counted as a slice's.

    `labelled` is how many of them somebody has said anything about.
    """

    requests: int
    labelled: int
    accuracy: Rate
    auto_resolution: Rate
    precision: Rate
    escalation: Rate


@dataclass(frozen=True, slots=True)
class Figures:
    """A week in figures. Quality is counted on `basis` and for `model_version`, the one in service at its end
    (`Tally.newest`).

    So are `calibration` and `confusion`; `labelled` and `unknown_labels` are of that model too. Latency is of all
    requests, within 5 %; `label_delay` counts labelled requests by the whole days until they were so.
    `out_of_scope` is the share of the checked requests that no label fits. `confidences` counts requests of that model
    by the tenth of their confidence (0..9), `treated` those checked and rightly treated. `days` counts all requests by
    the client's day, `utc_days` by UTC day, `versions` by the model that answered. `slices` are the figures of that
    model by metadata key of the config and its values, the SLICES most frequent and OTHERS; `left_out` are the other
    versions' requests, which are in no figure of quality, the most frequent version first. `answered` counts the
    model's answers by label, `named` all answers given and right whoever said so: mostly errors, good for comparing one
    time with another and for no share. `spoiled_by` is the most frequent reason of the field for which most rows cannot
    be used. `bad_outcomes` are those of the `quarantined` that are no requests, `given` the outcomes given in the week
    that can be used, whatever they are about. Records written before these were counted have none, and in `days` UTC
    days.
    """

    requests: int
    model_version: str | None
    basis: Basis
    accuracy: Rate
    auto_resolution: Rate
    precision: Rate
    escalation: Rate
    labelled: Rate
    mean_confidence: float | None
    label_mix: dict[str, int]
    unknown_labels: dict[str, int]
    quarantined: dict[str, int]
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    label_delay: dict[int, int] = field(default_factory=dict)
    calibration: tuple[Calibrated, ...] = ()
    confusion: tuple[Confusion, ...] = ()
    out_of_scope: Rate = field(default_factory=lambda: Rate(0, 0))
    answered: dict[str, int] = field(default_factory=dict)
    named: tuple[Confusion, ...] = ()
    confidences: dict[int, int] = field(default_factory=dict)
    treated: dict[int, Rate] = field(default_factory=dict)
    days: dict[date, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    slices: dict[str, dict[str, Slice]] = field(default_factory=dict)
    utc_days: dict[date, int] = field(default_factory=dict)
    spoiled_by: str | None = None
    bad_outcomes: dict[str, int] = field(default_factory=dict)
    given: int = 0
    left_out: dict[str, LeftOut] = field(default_factory=dict)

    @property
    def unusable(self) -> str | None:
        """The rows that cannot be used, how many for which field, and an example, as people read it."""
        rows = sum(self.quarantined.values())
        by_field = ", ".join(f"{subject} {n:,}" for subject, n in self.quarantined.items())
        such_as = f", such as `{self.spoiled_by}`" if self.spoiled_by else ""
        return f"{count_of(rows, 'log row')} cannot be used ({by_field}){such_as}" if rows else None

    def delay_at(self, share: float) -> int | None:
        """The whole days within which that share of the labels had come; None where none has."""
        wanted, known = share * sum(self.label_delay.values()), 0
        for days, labels in sorted(self.label_delay.items()):
            known += labels
            if known >= wanted:
                return days
        return None


@dataclass(frozen=True, slots=True)
class WeightedLabel:
    """As `LabelQuality`: how often a label was right where it was given, and given where it was right."""

    precision: WeightedRate
    recall: WeightedRate


@dataclass(frozen=True, slots=True)
class WeightedSlice:
    """Of the requests that share a value of a metadata key what only audits tell."""

    accuracy: WeightedRate
    auto_resolution: WeightedRate


@dataclass(frozen=True, slots=True)
class WeightedQuality:
    """The quality of several weeks' requests as audits tell it, each week with the weight of its requests.

    `labels` are those that were the right answer at least once, `slices` are by metadata key and value as in `Figures`.
    """

    accuracy: WeightedRate
    auto_resolution: WeightedRate
    precision: WeightedRate
    labels: dict[str, WeightedLabel] = field(default_factory=dict)
    slices: dict[str, dict[str, WeightedSlice]] = field(default_factory=dict)


def figures(window: LogWindow, client: Client) -> Figures:
    """Count a week's log that was read row by row."""
    return figures_of(tally(window, client.review_by, free_text=client.free_text), client)


def figures_of(counted: Tally, client: Client, *, every_model: bool = False) -> Figures:
    """What a window's counts say, of the model in service or, of a month say, of `every_model` that answered.

    Quality comes from the random audit sample, or from all requests where nearly all are labelled, of those answered
    automatically and of the others; a slice's likewise. Nine in ten are enough only where there is no audit to speak
    of: who is not heard of may be treated otherwise. Never from escalations and complaints alone: of the automatic
    answers those are the errors.
    """
    groups = _groups(counted, client)
    newest = counted.newest
    current = [group for group in groups if every_model or group.cell.model_version == newest]
    timed = {one: steps for one, steps in counted.latency.items() if every_model or one.model_version == newest}
    requests = _requests(current)
    enough = ENOUGH_AUDITED * client.minimum_labels
    basis, sample = _sample(current, enough)
    known = client.answers
    subjects = Counter(row.subject for row in counted.quarantined)
    worst = max(subjects, key=lambda subject: subjects[subject], default=None)
    reasons = Counter(row.reason for row in counted.quarantined if row.subject == worst)
    return Figures(
        requests=_requests(groups),
        model_version=newest,
        basis=basis,
        accuracy=_rate((group, group.right) for group in sample),
        auto_resolution=_rate((group, group.cell.automatic and group.right) for group in sample),
        precision=_rate((group, group.right) for group in sample if group.cell.automatic),
        escalation=_rate((group, not group.cell.automatic) for group in current),
        labelled=_coverage(current),
        mean_confidence=sum(group.count.confidence for group in current) / SCALE / requests if current else None,
        label_mix=_mix((group.cell.output or "", group) for group in groups),
        unknown_labels=_mix((group.answer, group) for group in current if group.answer and group.answer not in known),
        quarantined=dict(subjects.most_common()),
        latency_p50_ms=latency_at(counted.latency.values(), 0.5),
        latency_p95_ms=latency_at(counted.latency.values(), 0.95),
        label_delay=dict(sorted(counted.delay.items())),
        calibration=calibration(sample),
        confusion=confusion(sample),
        out_of_scope=_rate((group, group.answer == client.out_of_scope_label) for group in sample),
        answered=_mix((group.cell.output or "", group) for group in current),
        named=confusion(current),
        confidences=_by_tenth(current),
        treated={
            tenth: _rate((group, group.right) for group in sample if group.cell.confidence_bin == tenth)
            for tenth in sorted({group.cell.confidence_bin for group in sample})
        },
        days=_by_day(counted, client.zone),
        versions=_mix((group.cell.model_version, group) for group in groups),
        slices={key: _slices(at, current, timed, basis, enough) for at, key in enumerate(client.review_by)},
        utc_days=_by_day(counted, UTC),
        bad_outcomes=dict(Counter(row.subject for row in counted.quarantined if row.outcome).most_common()),
        given=counted.given,
        spoiled_by=next((shown(reason, client.redaction) for reason, _ in reasons.most_common(1)), None),
        left_out={} if every_model else _left_out(groups, newest, enough),
    )


def weigh(weeks: Iterable[Tally], client: Client, whole: Figures) -> WeightedQuality:
    """Quality over weeks of which each was audited as much as the others, however many requests it had.

    Of every model that answered, by the labels and slices of the `whole`. A week of which nothing was audited counts
    as the others do.
    """
    parts = [_groups(counted, client) for counted in weeks]
    return WeightedQuality(
        accuracy=_weighted(parts, _is_right),
        auto_resolution=_weighted(parts, _is_resolved),
        precision=_weighted(([group for group in part if group.cell.automatic] for part in parts), _is_right),
        labels={
            label: WeightedLabel(precision=_precision(parts, label), recall=_recall(parts, label))
            for label in by_label(whole.confusion)
        },
        slices={key: _weighted_slices(at, parts, whole.slices.get(key, {})) for at, key in enumerate(client.review_by)},
    )


def _is_right(group: Group) -> bool:
    return group.right


def _is_resolved(group: Group) -> bool:
    return group.cell.automatic and group.right


def _weighted(parts: Iterable[Sequence[Group]], hit: Callable[[Group], bool]) -> WeightedRate:
    return WeightedRate.of((_requests(part), _rate((group, hit(group)) for group in _audited(part))) for part in parts)


def _precision(parts: Iterable[Sequence[Group]], label: str) -> WeightedRate:
    """Of the requests that were given the label, however many of those were audited each week."""
    given = ([group for group in part if group.cell.output == label] for part in parts)
    return WeightedRate.of((_requests(part), _named_right(_audited(part))) for part in given)


def _recall(parts: Iterable[Sequence[Group]], label: str) -> WeightedRate:
    """How many requests the label is right for only audits tell: of a week's requests the share of its audits."""
    found = []
    for part in parts:
        named = [group for group in _audited(part) if group.answer is not None]
        its = [group for group in named if group.answer == label]
        if its:
            found.append((_requests(part) * _requests(its) / _requests(named), _named_right(its)))
    return WeightedRate.of(found)


def _named_right(groups: Iterable[Group]) -> Rate:
    return _rate((group, group.answer == group.cell.output) for group in groups if group.answer is not None)


def _weighted_slices(at: int, parts: Sequence[Sequence[Group]], shown: Mapping[str, Slice]) -> dict[str, WeightedSlice]:
    found = {}
    for name in shown:
        its = [[group for group in part if _shown(_value(at, group.cell), shown) == name] for part in parts]
        found[name] = WeightedSlice(_weighted(its, _is_right), _weighted(its, _is_resolved))
    return found


def _groups(counted: Tally, client: Client) -> list[Group]:
    """Its requests, and of a right answer that is no label and no model's answer nothing personal."""
    groups = [Group.of(cell, count, out_of_scope=client.out_of_scope_label) for cell, count in counted.cells.items()]
    labels = {*client.answers, *(group.cell.output for group in groups if group.cell.output)}
    typed = {group.answer for group in groups if group.answer is not None} - labels
    kept = {answer: redact_answer(answer, client.redaction, labels=labels) for answer in typed}
    return [
        replace(group, truth=group.truth._replace(answer=kept[group.truth.answer]))
        if group.truth and group.truth.answer in kept
        else group
        for group in groups
    ]


def _sample(current: Sequence[Group], enough: float, *, all_may_count: bool = True) -> tuple[Basis, list[Group]]:
    """What quality is counted on; so many audited are `enough` for an audit that nine in ten do not replace."""
    labelled = [group for group in current if group.cell.said]
    parts = [_coverage(group for group in current if group.cell.automatic is automatic) for automatic in (True, False)]
    shares = [part.value for part in parts if part.value is not None]
    audited = _audited(labelled)
    wanted = ALL_BUT_FEW if _requests(audited) >= enough else NEARLY_ALL
    if all_may_count and shares and min(shares) >= wanted:
        return Basis.ALL, labelled
    return (Basis.AUDIT, audited) if audited else (Basis.NONE, [])


def _audited(groups: Iterable[Group]) -> list[Group]:
    return [group for group in groups if any(one.source is OutcomeSource.AUDIT for one in group.cell.said)]


def _coverage(groups: Iterable[Group]) -> Rate:
    return _rate((group, bool(group.cell.said)) for group in groups)


def _slices(
    at: int, current: Sequence[Group], timed: Mapping[Timed, Mapping[int, int]], basis: Basis, enough: float
) -> dict[str, Slice]:
    """The figures by the values of one metadata key, the most frequent first."""
    values = _mix((_value(at, group.cell), group) for group in current)
    shown = {*list(values)[:SLICES]}
    groups: dict[str, list[Group]] = {_shown(value, shown): [] for value in values}
    for group in current:
        groups[_shown(_value(at, group.cell), shown)].append(group)
    latencies: dict[str, list[Mapping[int, int]]] = {name: [] for name in groups}
    for one, steps in timed.items():
        latencies[_shown(_value(at, one), shown)].append(steps)
    return {name: _slice(its, latencies[name], basis, enough) for name, its in groups.items()}


def _left_out(groups: Sequence[Group], counted_for: str | None, enough: float) -> dict[str, LeftOut]:
    basis, _ = _sample(groups, enough)
    versions: dict[str, list[Group]] = {}
    for group in groups:
        if group.cell.model_version != counted_for:
            versions.setdefault(group.cell.model_version, []).append(group)
    by_requests = sorted(versions.items(), key=lambda one: (-_requests(one[1]), one[0]))
    return {version: _of_another(its, basis, enough) for version, its in by_requests}


def _of_another(its: Sequence[Group], basis: Basis, enough: float) -> LeftOut:
    found = _slice(its, [], basis, enough)
    return LeftOut(
        requests=found.requests,
        labelled=_coverage(its).hits,
        accuracy=found.accuracy,
        auto_resolution=found.auto_resolution,
        precision=found.precision,
        escalation=found.escalation,
    )


def _shown(value: str, shown: Container[str]) -> str:
    return value if value in shown else OTHERS


def _value(at: int, one: Cell | Timed) -> str:
    return one.facets[at] or NO_VALUE


def _slice(current: Sequence[Group], latencies: Sequence[Mapping[int, int]], basis: Basis, enough: float) -> Slice:
    # of a few requests all may be labelled because all were complained about: the whole must be labelled too
    _, sample = _sample(current, enough, all_may_count=basis is Basis.ALL)
    return Slice(
        requests=_requests(current),
        accuracy=_rate((group, group.right) for group in sample),
        auto_resolution=_rate((group, group.cell.automatic and group.right) for group in sample),
        precision=_rate((group, group.right) for group in sample if group.cell.automatic),
        escalation=_rate((group, not group.cell.automatic) for group in current),
        macro_f1=macro_f1(confusion(sample)),
        calibration_error=calibration_error(calibration(sample)),
        latency_p50_ms=latency_at(latencies, 0.5),
        latency_p95_ms=latency_at(latencies, 0.95),
    )


def _by_day(counted: Tally, zone: tzinfo) -> dict[date, int]:
    found: Counter[date] = Counter()
    for quarter, versions in sorted(counted.times.items()):
        found[time_of(quarter).astimezone(zone).date()] += sum(versions.values())
    return dict(found)


def _by_tenth(groups: Iterable[Group]) -> dict[int, int]:
    found: Counter[int] = Counter()
    for group in groups:
        found[group.cell.confidence_bin] += group.count.requests
    return dict(sorted(found.items()))


def _requests(groups: Iterable[Group]) -> int:
    return sum(group.count.requests for group in groups)


def _rate(groups: Iterable[tuple[Group, bool]]) -> Rate:
    counted = [(group.count.requests, hit) for group, hit in groups]
    return Rate(sum(n for n, hit in counted if hit), sum(n for n, _ in counted))


def _mix(groups: Iterable[tuple[str, Group]]) -> dict[str, int]:
    """Requests by label, the most frequent first."""
    found: Counter[str] = Counter()
    for label, group in groups:
        found[label] += group.count.requests
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))
