"""What does a client read at the end of the month?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from io import BytesIO

from upkeep import records
from upkeep.config import Client
from upkeep.counts import count_of
from upkeep.desk import Desk
from upkeep.entitlement import RETRAIN, Booking, ChangeOrder
from upkeep.metrics.generated import described
from upkeep.metrics.quality import LabelQuality, worst_labels
from upkeep.monitoring.alarms import Direction
from upkeep.monitoring.edge_cases import Edges
from upkeep.monitoring.estimate import ONLY_AN_ESTIMATE, Estimate
from upkeep.monitoring.figures import (
    Basis,
    Figures,
    Slice,
    WeightedLabel,
    WeightedQuality,
    WeightedSlice,
    figures_of,
    weigh,
)
from upkeep.monitoring.health import Health, assess, in_words
from upkeep.monitoring.judgement import Finding, Metric
from upkeep.monitoring.past_alarms import PastAlarm
from upkeep.monitoring.recount import newest
from upkeep.monitoring.review import Contract, Review, answers_as_known, as_known
from upkeep.monitoring.themes import Theme
from upkeep.monitoring.trouble import Change
from upkeep.periods import Cadence, Window, last_full, period, periods_in, week
from upkeep.redaction import inert
from upkeep.release import Action, Entry
from upkeep.stages.approval import not_in_service
from upkeep.stages.contract import change_orders
from upkeep.stages.decisions import Decision, decisions
from upkeep.stages.monitoring import look_at_answers, reviews
from upkeep.stages.month_activity import changes_of, missed_work, open_categories, promotions
from upkeep.stages.request_analysis import Grouped, tracked_themes
from upkeep.stages.troubles import Trouble, open_troubles, subject_of
from upkeep.statistics.rates import AnyRate

SHOWN_LABELS = 8
SHOWN_THEMES = 6
CHARTED = 52
"""Weeks in the chart."""
SINCE = 9
"""Weeks that may have passed from the month's first to its report."""


@dataclass(frozen=True, slots=True)
class Report:
    """One client's month: figures over all of it and every model, its weekly reviews, and what was decided.

    `promotions` are those that no decision of the month tells, `undone` the retrains and `open_categories` the new
    categories without a decision, and `not_in_service` says by period why a challenger that won was not. `weighted` is
    there where audits tell the quality, but for reports written before it was counted.
    """

    client: str
    name: str
    tier: str
    month: str
    as_of: datetime
    health: Health
    figures: Figures
    reviews: tuple[Review, ...]
    decisions: tuple[Decision, ...]
    change_orders: tuple[ChangeOrder, ...]
    themes: tuple[Theme, ...] = ()
    going_on: tuple[Trouble, ...] = ()
    standing_order: ChangeOrder | None = None
    rollbacks: tuple[Entry, ...] = ()
    promotions: tuple[Entry, ...] = ()
    undone: tuple[str, ...] = ()
    not_in_service: dict[str, str] = field(default_factory=dict)
    open_categories: tuple[str, ...] = ()
    weighted: WeightedQuality | None = None
    bookings: tuple[Booking, ...] = ()
    unusual: tuple[Theme, ...] = ()

    @property
    def rates(self) -> dict[Metric, AnyRate]:
        """The rates of the month that can have an agreed limit."""
        return _rates(self.figures, self.weighted)

    @property
    def newest_alerts(self) -> list[Finding]:
        """For each figure that got worse, what was said last."""
        return list({finding.metric: finding for one in self.reviews for finding in one.alerts}.values())

    @property
    def past_alarms(self) -> list[PastAlarm]:
        """Those that were over before the month's reviews could tell them."""
        return [one for found in self.reviews for one in found.past_alarms]

    @property
    def retrain_recommended(self) -> bool:
        """Does the newest review recommend a retrain?"""
        return bool(self.reviews) and self.reviews[-1].retrain_recommended

    @property
    def contract(self) -> Contract | None:
        """The one of the month's first review; None where nobody knows."""
        return self.reviews[0].contract if self.reviews else None

    @property
    def estimate(self) -> Estimate | None:
        """The accuracy of the newest week as the model's confidence suggests it, where that can be said."""
        return self.reviews[-1].estimate if self.reviews else None

    @property
    def edges(self) -> Edges | None:
        """The edge cases of the newest week, where somebody could look."""
        return self.reviews[-1].edges if self.reviews else None

    @property
    def writing(self) -> Review | None:
        """The newest week whose generated answers were compared with right ones, else the newest with any answer."""
        written = [one for one in self.reviews if one.generated]
        newest = [one for one in written if one.generated and one.generated.exact.n] or written
        return newest[-1] if newest else None

    @property
    def answers(self) -> dict[str, str]:
        """How generated answers read in that week; empty for a classifier."""
        return described(self.writing.generated) if self.writing and self.writing.generated else {}

    @property
    def by_label(self) -> dict[str, LabelQuality | WeightedLabel]:
        """The labels with the most errors found, most first; none where nothing was answered wrong."""
        worst = worst_labels(self.figures.confusion, SHOWN_LABELS)
        weighted = self.weighted.labels if self.weighted else {}
        return {name: weighted.get(name, one) for name, one in worst.items()}

    def by_value(self, key: str) -> dict[str, tuple[Slice, Slice | WeightedSlice]]:
        """The requests by the values of a metadata key, and what their quality is counted on."""
        weighted = self.weighted.slices.get(key, {}) if self.weighted else {}
        return {value: (one, weighted.get(value, one)) for value, one in self.figures.slices[key].items()}

    @property
    def unknown_labels(self) -> dict[str, int]:
        """Right answers that no model of the month gives."""
        learned = self.figures.answered
        return {label: n for label, n in self.figures.unknown_labels.items() if label not in learned}

    @property
    def newest_changes(self) -> list[Change]:
        """For each change that was seen, what was said last."""
        found = {(change.kind, change.old, change.new): change for one in self.reviews for change in one.changes}
        return list(found.values())


def write_report(desk: Desk, as_of: datetime) -> Report:
    """Write the report of the last full month as JSON, Markdown, HTML and chart; returns what is written already."""
    month = last_full(as_of, Cadence.MONTHLY, desk.zone)
    key = f"reports/{month.key}"
    done = records.load_if_there(desk.store, f"{key}.json", Report)
    if done:
        return done
    report = assemble(desk, month, desk.local(as_of))
    markdown = render_markdown(report, desk.client)
    first = report.reviews[0].week if report.reviews else ""
    before = [one for one in known_reviews(desk, report.as_of) if one.week < first]
    chart = draw_chart([*before, *report.reviews][-CHARTED:], desk.client)
    write_pages(desk, key, title=f"{report.name}, {report.month}", markdown=markdown, chart=chart)
    records.save(desk.store, f"{key}.json", report)
    return report


def assemble(desk: Desk, month: Window, as_of: datetime) -> Report:
    """Gather a month from the log and the records: the weeks that ended in it, as they were known at `as_of`."""
    decided = tuple(one for one in decisions(desk, at=as_of) if month.start <= one.as_of < month.end)
    counted, *by_week = desk.count_log(month, *periods_in(month, Cadence.WEEKLY, desk.zone), until=as_of)
    figures = figures_of(counted, desk.client, every_model=True)
    weekly = tuple(_counted_now(desk, ended_in(desk, month, known_reviews(desk, as_of)), as_of))
    weighted = weigh(by_week, desk.client, figures) if figures.basis is Basis.AUDIT else None
    contract, themes = weekly[0].contract if weekly else None, _themes(desk, month)
    return Report(
        client=desk.client.client,
        name=desk.client.name,
        tier=contract.tier if contract else desk.tier.name,
        month=month.key,
        as_of=as_of,
        health=assess(weekly, _rates(figures, weighted), desk.client.thresholds.agreed),
        figures=figures,
        weighted=weighted,
        reviews=weekly,
        decisions=decided,
        rollbacks=changes_of(desk, month, Action.ROLLBACK),
        promotions=promotions(desk, month, decided),
        undone=missed_work(desk, month, as_of, included=contract.retrain if contract else None),
        open_categories=open_categories(desk, month, as_of),
        not_in_service={one.period: why for one in decided if (why := not_in_service(desk, one, as_of))},
        change_orders=tuple(one for one in change_orders(desk) if month.start <= one.as_of < month.end),
        bookings=tuple(one for one in desk.bookings() if month.start <= one.as_of < month.end),
        themes=themes.troubled,
        unusual=themes.unusual,
        going_on=_going_on(desk, month, as_of, weekly),
        standing_order=_standing_order(desk, month),
    )


def _rates(figures: Figures, weighted: WeightedQuality | None) -> dict[Metric, AnyRate]:
    plain = {metric: getattr(figures, metric) for metric in Metric}
    return {metric: getattr(weighted, metric, rate) for metric, rate in plain.items()}


def known_reviews(desk: Desk, as_of: datetime) -> list[Review]:
    """A year's reviews up to a moment, each with its week's figures as the last of them counted them."""
    upto = period(as_of, Cadence.WEEKLY, desk.zone).key
    found = [one for one in reviews(desk, upto=upto, newest=CHARTED + SINCE) if one.as_of <= as_of]
    known, answers = dict(as_known(found, {})), answers_as_known(found)
    return [replace(one, figures=known[one.week], generated=answers.get(one.week)) for one in found]


def _counted_now(desk: Desk, weekly: Sequence[Review], as_of: datetime) -> list[Review]:
    """The reviews with their weeks counted at `as_of`, as the month is: a sheet may have come back since."""
    was = {one.week: one.figures for one in weekly}
    counted = desk.count_log(*(week(key, desk.zone) for key in was), until=as_of)
    again = {key: figures_of(one, desk.client) for key, one in zip(was, counted, strict=True)}
    known = newest(was, again)
    answers = look_at_answers(desk, {key: one for key, one in again.items() if known[key] == one}, until=as_of)
    return [replace(one, figures=known[one.week], generated=answers.get(one.week, one.generated)) for one in weekly]


def ended_in(desk: Desk, window: Window, reviewed: Iterable[Review]) -> list[Review]:
    """The reviews of the weeks that ended in a month or quarter."""
    return [one for one in reviewed if window.start < week(one.week, desk.zone).end <= window.end]


def _going_on(desk: Desk, month: Window, as_of: datetime, weekly: Sequence[Review]) -> tuple[Trouble, ...]:
    """What opened before the month, is not over, and was not found anew in it."""
    told = {subject_of(change) for one in weekly for change in one.changes}
    told |= {finding.metric.value for one in weekly for finding in one.alerts}
    return tuple(one for one in open_troubles(desk, as_of) if one.opened < month.start and one.subject not in told)


def _standing_order(desk: Desk, month: Window) -> ChangeOrder | None:
    """The newest change order for a retrain from before the month, where none has been decided on since."""
    orders = [one for one in change_orders(desk) if one.as_of < month.start and one.work == RETRAIN]
    retrains = [one for one in decisions(desk) if one.label is None]
    since = [one for one in retrains if orders and orders[-1].as_of <= one.as_of < month.end]
    return orders[-1] if orders and not since else None


def _themes(desk: Desk, month: Window) -> Grouped:
    """What kept going wrong, and what was unusual, at the last review of the month."""
    tracked = tracked_themes(desk, month.end)
    if tracked is None or week(tracked.week, desk.zone).end <= month.start:
        return Grouped((), ())
    return Grouped(tracked.themes[:SHOWN_THEMES], tracked.unusual[:SHOWN_THEMES])


def render_markdown(report: Report, client: Client) -> str:
    """The report as Markdown a non-expert can read."""
    health = in_words(report.reviews, report.rates, client.thresholds.agreed)
    return render_page("report.md.j2", report=report, client=client, health=health)


def write_pages(desk: Desk, key: str, *, title: str, markdown: str, chart: bytes) -> None:
    """Write a page as Markdown and as HTML."""
    desk.store.write(f"{key}.md", markdown.encode())
    desk.store.write(f"{key}.html", render_html(title, markdown, chart).encode())


def render_page(template: str, **values: object) -> str:
    """A page of ours as Markdown; labels, values, answers and reasons in it are other people's text."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("upkeep", "templates"), trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"share": share, "weeks": ", ".join, "plain": no_markup}
    environment.globals |= {"only_an_estimate": ONLY_AN_ESTIMATE, "retrain": RETRAIN}
    environment.globals |= {"limit": limit, "count_of": count_of}
    return inert(environment.get_template(template).render(values))


def render_html(title: str, markdown: str, chart: bytes) -> str:
    """Such a page as HTML with its chart inside."""
    from base64 import b64encode

    from jinja2 import Environment, PackageLoader
    from markdown import markdown as to_html

    page = Environment(loader=PackageLoader("upkeep", "templates"), autoescape=True).get_template("report.html.j2")
    # nothing in it is a tag of ours either, and a report written before may have one of other people's
    plain = markdown.replace("&", "&amp;").replace("<", "&lt;").replace("](", "] (")
    body = to_html(plain, extensions=["tables"])
    return page.render(title=title, body=body, chart=b64encode(chart).decode())


def draw_chart(weekly: Sequence[Review], client: Client) -> bytes:
    """Auto-resolution and accuracy by week with their 95 % intervals, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    for metric, colour in (("accuracy", "#4c72b0"), ("auto_resolution", "#dd8452")):
        known = [(one.week, rate) for one in weekly if (rate := getattr(one.figures, metric)).n]
        values = [100 * (rate.value or 0) for _, rate in known]
        low = [100 * rate.interval().low for _, rate in known]
        high = [100 * rate.interval().high for _, rate in known]
        axes.plot([week for week, _ in known], values, color=colour, label=metric.replace("_", "-"))
        axes.fill_between([week for week, _ in known], low, high, color=colour, alpha=0.15)
        limit = getattr(client.thresholds, metric)
        if limit is not None:
            axes.axhline(
                100 * limit, color=colour, linestyle=":", linewidth=1, label=f"agreed {metric.replace('_', '-')}"
            )
    axes.set_ylabel("% of requests")
    axes.tick_params(axis="x", rotation=70, labelsize=7)
    if weekly:
        axes.legend(loc="lower left", fontsize=8)
    image = BytesIO()
    figure.savefig(image, format="png", dpi=110)
    return image.getvalue()


def no_markup(text: str) -> str:
    """Other people's text in a table or a heading: on one line, and none of its signs is Markdown's."""
    return re.sub(r"[\\`*|]|(?<!\w)_|_(?!\w)", r"\\\g<0>", " ".join(text.split()))


def limit(client: Client, name: str) -> str:
    """What was agreed or promised of a rate, as people read it."""
    metric, agreed = Metric(name), client.thresholds.agreed
    if metric in agreed:
        return f"at {'most' if metric.worse is Direction.HIGHER_IS_WORSE else 'least'} {100 * agreed[metric]:.1f} %"
    return f"promised {100 * client.promised_precision:.1f} %" if metric is Metric.PRECISION else "-"


def share(rate: AnyRate) -> str:
    """A rate as people read it: 87.1 % (84-90 %, of 412)."""
    if rate.value is None:
        return "no data"
    low, high = rate.interval()
    return f"{100 * rate.value:.1f} % ({100 * low:.0f}-{100 * high:.0f} %, of {rate.n:,})"
