"""How good is the model by the newest week that is labelled?

The sheet of the week just ended is mostly not back when that is reviewed. So beside it stands what is known by now of
an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from upkeep.config import Client
from upkeep.counts import count_of
from upkeep.metrics.generated import Generated, described
from upkeep.metrics.quality import worst_labels
from upkeep.monitoring.edge_cases import Edges
from upkeep.monitoring.figures import ENOUGH_AUDITED, Figures
from upkeep.monitoring.review import Review, answers_as_known, as_known
from upkeep.stages.review_figures import SHOWN_LABELS, SHOWN_VALUES, label_quality, over_all_labels, slice_quality
from upkeep.statistics.rates import Rate


class Known(NamedTuple):
    """A week as it is known by now; `edges` are those that its review found."""

    week: str
    figures: Figures
    edges: Edges | None
    answers: Generated | None


def known_by_now(weekly: Sequence[Review], client: Client) -> Known | None:
    """The newest week before the last of some reviews, oldest first, that has as many labels as tell something.

    Where none has so many it is the newest with any; None where no week has, and where the last one has enough itself.
    """
    *before, last = as_known(weekly, {})
    enough = ENOUGH_AUDITED * client.minimum_labels
    if not before or last[1].accuracy.n >= enough:
        return None
    some = [one for one in before if one[1].accuracy.n]
    told = [one for one in some if one[1].accuracy.n >= enough] or some
    if not told:
        return None
    key, figures = told[-1]
    edges = next(one.edges for one in weekly if one.week == key)
    return Known(key, figures, edges, answers_as_known(weekly).get(key))


def no_label_fits(figures: Figures, client: Client) -> Rate:
    """Of the requests whose right answer people have named, how many no label of the model's fits; any of a text's."""
    if client.free_text:
        return Rate(0, 0)
    labels = {*client.labels, *figures.label_mix}
    named = sum(one.requests for one in figures.named)
    return Rate(sum(one.requests for one in figures.named if one.answer not in labels), named)


def in_lines(known: Known, version: str | None, client: Client) -> Iterator[str]:
    """Its quality as a Markdown list, short; `version` is the model in service now."""
    figures = known.figures
    of = "" if figures.model_version == version else f", of version {figures.model_version}"
    quality = ", ".join([f"accuracy {figures.accuracy}", *over_all_labels(figures)])
    yield f"- known by now of {known.week}{of}: {quality}"
    worst = worst_labels(figures.confusion, SHOWN_LABELS)
    yield from (f"    - most errors: {name!r}, {label_quality(one)}" for name, one in worst.items())
    for key, values in figures.slices.items():
        told = {value: ", ".join(slice_quality(one)) for value, one in values.items()}
        yield from [f"    - {key} {value}: {one}" for value, one in told.items() if one][:SHOWN_VALUES]
    unfit = no_label_fits(figures, client)
    if unfit.hits:
        yield f"    - no label fits {unfit.hits:,} of {count_of(unfit.n, 'request')} of which people said what is right"
    if known.answers:
        close = replace(known.answers, words=None, refusals=Rate(0, 0))
        yield from (f"    - {name}: {value}" for name, value in described(close).items())
