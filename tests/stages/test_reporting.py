"""Does the month's report say what was counted, on how much, what was found and what was done?"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from upkeep.config import Thresholds, load_client
from upkeep.entitlement import ChangeOrder
from upkeep.evaluation.comparison import Verdict
from upkeep.metrics.generated import Generated, Mean
from upkeep.metrics.quality import Confusion
from upkeep.monitoring.edge_cases import EdgeCase, Edges, Reason
from upkeep.monitoring.estimate import Estimate
from upkeep.monitoring.figures import Basis, Figures, Slice, WeightedLabel, WeightedQuality, WeightedSlice
from upkeep.monitoring.health import NO_ALARM, Health, assess, in_words
from upkeep.monitoring.judgement import Finding, Metric, Status
from upkeep.monitoring.review import Contract, Review
from upkeep.monitoring.themes import Theme
from upkeep.monitoring.trouble import Change, Kind
from upkeep.release import Action, Entry
from upkeep.stages.decisions import Decision, OnTheme
from upkeep.stages.reporting import Report, draw_chart, limit, render_html, render_markdown, share
from upkeep.stages.troubles import Trouble
from upkeep.statistics.rates import Rate, WeightedRate

MONDAY = datetime(2026, 11, 23, 6, tzinfo=UTC)
CLIENT = load_client(Path(__file__).parents[2] / "configs", "northwind").model_copy(
    update={"thresholds": Thresholds(accuracy=0.85, auto_resolution=0.6), "promised_precision": 0.95}
)
NOTHING = Rate(0, 0)
NOTHING_WEIGHTED = WeightedRate.of([])
FIGURES = Figures(
    requests=12_345,
    model_version="3",
    basis=Basis.AUDIT,
    accuracy=Rate(87, 100),
    auto_resolution=Rate(8, 10),
    precision=NOTHING,
    escalation=Rate(1, 4),
    labelled=Rate(100, 12_345),
    mean_confidence=0.8,
    label_mix={"billing": 12_345},
    unknown_labels={},
    quarantined={},
)
DECISION = Decision(
    period="2026-11",
    as_of=MONDAY,
    reason="scheduled",
    champion="3",
    challenger="4",
    verdict=Verdict.PROMOTE,
    reasons=("clearly better on golden",),
    compared=(),
    metrics={},
    applied=True,
)
ORDER = ChangeOrder("2026-11", MONDAY, "accuracy fell", "tier 'monitoring' includes no retrain", None)


def week(key: str, *, alert: bool = False, basis: Basis = Basis.AUDIT) -> Review:
    text = "accuracy 70.0% (95% CI 60.4%..78.1%, n=100) in 2026-W47 is below the agreed 85.0% beyond doubt"
    finding = Finding(Status.ALERT, Metric.ACCURACY, Rate(70, 100), 0.85, (key,), text)
    counted = replace(FIGURES, basis=basis, requests=1_000)
    if basis is Basis.NONE:
        finding = replace(finding, status=Status.NOT_ENOUGH_DATA, observed=NOTHING, text="accuracy: not enough data")
        counted = replace(counted, accuracy=NOTHING)
    elif not alert:
        finding = replace(finding, status=Status.OK, observed=Rate(87, 100), text="accuracy 87.0%, agreed 85.0%")
    contract = Contract("monitoring", None)
    return Review("northwind", key, MONDAY, counted, (finding,), alert, contract=contract)


def with_nothing_agreed(one: Review) -> Review:
    return replace(one, findings=tuple(replace(finding, limit=None) for finding in one.findings))


def report(**changed) -> Report:
    plain = Report("northwind", "Northwind", "gold", "2026-11", MONDAY, Health.GOOD, FIGURES, (), (), ())
    return replace(plain, **changed)


def said(**changed) -> list[str]:
    return render_markdown(report(**changed), CLIENT).splitlines()


def test_a_share_is_told_with_its_interval_and_how_many_it_was_counted_on():
    # Wilson, z * z = 3.8415: (0.87 + 0.019207 -+ 1.96 * sqrt(0.1131 / 100 + 0.000096)) / 1.038415 = 0.790, 0.922
    assert share(Rate(87, 100)) == "87.0 % (79-92 %, of 100)"
    assert share(Rate(0, 12_345)) == "0.0 % (0-0 %, of 12,345)"


def test_no_data_is_told_as_such():
    assert share(NOTHING) == "no data"


def test_the_month_stands_beside_what_was_agreed():
    rows = [line for line in said() if line.startswith("|")]
    assert rows[:6] == [
        "| | this month | agreed |",
        "| --- | --- | --- |",
        "| Requests | 12,345 | |",
        # Wilson of 8 in 10: (0.8 + 0.19207 -+ 1.96 * sqrt(0.016 + 0.009604)) / 1.38415 = 0.490, 0.943
        "| Answered automatically and right | 80.0 % (49-94 %, of 10) | at least 60.0 % |",
        "| Right answers, all requests | 87.0 % (79-92 %, of 100) | at least 85.0 % |",
        "| Right among automatic answers | no data | promised 95.0 % |",
    ]


def test_a_ceiling_is_told_as_one():
    client = CLIENT.model_copy(update={"thresholds": Thresholds(escalation=0.25)})
    assert [limit(client, name) for name in ("escalation", "accuracy", "precision")] == [
        "at most 25.0 %",
        "-",
        "promised 95.0 %",
    ]


def test_a_figure_without_an_agreed_floor_is_shown_and_not_compared():
    bare = CLIENT.model_copy(update={"thresholds": Thresholds(precision=0.97)})
    lines = render_markdown(report(), bare).splitlines()
    assert "| Right answers, all requests | 87.0 % (79-92 %, of 100) | - |" in lines
    assert "| Right among automatic answers | no data | at least 97.0 % |" in lines


def test_the_report_says_what_quality_was_counted_on_and_for_which_model():
    assert "Quality was counted on: random audit sample; model version 3." in said()
    idle = replace(FIGURES, basis=Basis.NONE, model_version=None)
    assert "Quality was counted on: no unbiased labels; model version none." in said(figures=idle)
    both = replace(FIGURES, versions={"2": 12_000, "3": 345})
    told = "Quality was counted on: random audit sample; model versions 2 (12,000 requests), 3 (345 requests)."
    assert told in said(figures=both)


def test_where_weeks_have_the_weight_of_their_requests_the_month_says_so_and_is_judged_by_that():
    weighted = WeightedQuality(
        accuracy=WeightedRate(0.55, 120, 73.2), auto_resolution=WeightedRate(0.7, 120, 73.2), precision=NOTHING_WEIGHTED
    )
    page = said(weighted=weighted, reviews=(OK,))
    # Wilson of 0.55 for 73.2: (0.55 + 0.02624 -+ 1.96 * sqrt(0.003381 + 0.000179)) / 1.05248 = 0.436, 0.659
    assert "| Right answers, all requests | 55.0 % (44-66 %, of 120) | at least 85.0 % |" in page
    assert "| Right among automatic answers | no data | promised 95.0 % |" in page
    over = "Over the whole month worse than agreed, by more than the sample's chance: accuracy."
    assert any(line.endswith(over) for line in page)
    assert any("each week has the weight of its requests" in line for line in page)
    assert not any("each week has the weight" in line for line in said())


def test_every_week_has_a_line_and_an_alert_names_its_figure_there_and_below():
    lines = said(reviews=(week("2026-W46"), week("2026-W47", alert=True)), health=Health.NEEDS_ATTENTION)
    quiet, loud = (line for line in lines if line.startswith("| 2026-W"))
    assert quiet == "| 2026-W46 | 1,000 | 80.0 % (49-94 %, of 10) | 87.0 % (79-92 %, of 100) | - |"
    assert loud.endswith("| accuracy worse |")
    assert "**Model health: needs attention.**" in lines
    assert any(line.startswith("- accuracy 70.0%") and line.endswith("beyond doubt.") for line in lines)


def test_a_quiet_month_says_so():
    lines = said(reviews=(week("2026-W47"),))
    assert "No figure raised an alarm." in lines
    assert "No retrain was due and none was needed." in lines


def test_what_was_due_is_not_told_where_no_review_kept_the_contract():
    for lines in (said(), said(reviews=(replace(week("2026-W47"), contract=None),))):
        assert "No retrain was done this month." in lines
        assert not any("due" in line for line in lines)


def test_a_decision_is_told_with_its_verdict_its_reasons_and_whether_it_is_in_service():
    lines = said(decisions=(DECISION, replace(DECISION, verdict=Verdict.HOLD, applied=False, reasons=())))
    first = lines.index("- 2026-11-23, scheduled retrain: **promote** version 4 against version 3, now in service.")
    assert lines[first + 1] == "    - clearly better on golden"
    assert lines[first + 2] == "- 2026-11-23, scheduled retrain: **hold** version 4 against version 3."
    assert "No retrain was due and none was needed." not in lines


def test_a_rollback_is_told_with_who_and_why():
    back = Entry(3, MONDAY, Action.ROLLBACK, "3", "4", "Ada Byron", "complaints about refunds", "test")
    wanted = (
        "- 2026-11-23: version 3 was put **back into service** in place of version 4, by Ada Byron "
        "(complaints about refunds)."
    )
    lines = said(rollbacks=(back,))
    assert wanted in lines
    assert "No retrain was due and none was needed." not in lines


def test_a_change_order_is_told_with_why_it_is_extra():
    wanted = (
        "- 2026-11-23: a retrain is recommended (accuracy fell). It is not part of the contract: "
        "tier 'monitoring' includes no retrain. We have opened a change order."
    )
    lines = said(change_orders=(ORDER,))
    assert wanted in lines
    assert "No retrain was due and none was needed." not in lines


def test_unknown_answers_and_unusable_rows_are_told_with_their_counts():
    odd = replace(FIGURES, unknown_labels={"returns": 7, "gifts": 2}, quarantined={"duplicate id": 3})
    lines = said(figures=odd)
    assert "Right answers the model was not made for: returns (7), gifts (2)." in lines
    assert "Log rows that could not be used, by reason: duplicate id (3)." in lines


@pytest.mark.parametrize(
    ("weeks", "health"),
    [
        ([], Health.UNKNOWN),
        ([week("2026-W46"), week("2026-W47")], Health.GOOD),
        ([week("2026-W46", alert=True), week("2026-W47")], Health.GOOD),  # the newest week decides
        ([week("2026-W46"), week("2026-W47", alert=True)], Health.NEEDS_ATTENTION),
        ([week("2026-W46", basis=Basis.NONE), week("2026-W47", basis=Basis.NONE)], Health.UNKNOWN),
        ([replace(week("2026-W47"), findings=())], Health.UNKNOWN),  # nothing was agreed: neither good nor bad
        ([with_nothing_agreed(week("2026-W47"))], Health.UNKNOWN),
        ([with_nothing_agreed(week("2026-W47", alert=True))], Health.NEEDS_ATTENTION),
    ],
)
def test_the_newest_week_decides_the_health_of_the_month(weeks, health):
    assert assess(weeks, report().rates, {"accuracy": 0.85}) is health


@pytest.mark.parametrize(
    ("newest", "month", "health"),
    [
        (Rate(83, 100), Rate(350, 400), Health.GOOD),  # up to 89.1 %: chance
        (Rate(77, 100), Rate(350, 400), Health.WATCH),  # up to 84.2 %, and no alarm
        (Rate(87, 100), Rate(320, 400), Health.WATCH),  # up to 83.6 %
    ],
)
def test_what_is_plainly_worse_than_agreed_is_not_called_good(newest, month, health):
    finding = replace(week("2026-W47").findings[0], observed=newest)
    rates = report(figures=replace(FIGURES, accuracy=month)).rates
    assert finding.word == ("worse than agreed, no alarm yet" if newest.hits == 77 else "ok")
    assert assess([replace(week("2026-W47"), findings=(finding,))], rates, {"accuracy": 0.85}) is health


@pytest.mark.parametrize(("handed_over", "word"), [(27, "worse than agreed, no alarm yet"), (13, "ok")])
def test_more_handed_to_a_person_than_agreed_is_worse(handed_over, word):
    escalation = Finding(Status.OK, Metric.ESCALATION, Rate(handed_over, 100), 0.18, ("2026-W47",), "escalation")
    assert escalation.word == word


OK = week("2026-W47")
PLAINLY = replace(OK.findings[0], observed=Rate(77, 100), text="accuracy 77.0%, agreed at least 85.0%")
BELOW = replace(OK.findings[0], observed=Rate(83, 100), text="accuracy 83.0%, agreed at least 85.0%")
LATE = replace(OK.findings[0], weeks=("2026-W46", "2026-W47"))
NO_WORSE = "No agreed figure that could be judged in the newest week is worse than its limit beyond chance."


@pytest.mark.parametrize(
    ("weeks", "month", "words"),
    [
        ([OK], FIGURES, NO_WORSE),
        ([], FIGURES, "No week of this month was reviewed."),
        ([replace(OK, findings=())], FIGURES, "No figure was agreed that the model could be held against."),
        (
            [with_nothing_agreed(OK)],
            FIGURES,
            "No figure was agreed that the model could be held against. "
            f"Held against the model's own first weeks: {OK.findings[0].text}.",
        ),
        (
            [with_nothing_agreed(week("2026-W47", basis=Basis.NONE))],
            FIGURES,
            "No figure was agreed that the model could be held against. Not judged: accuracy: not enough data.",
        ),
        (
            [with_nothing_agreed(week("2026-W47", alert=True))],
            FIGURES,
            "A figure of which no limit is agreed has got worse, beyond what chance explains. "
            'See "What we found" for which one and when.',
        ),
        (
            [week("2026-W47", basis=Basis.NONE)],
            FIGURES,
            "No agreed figure could be judged in the newest week. Not judged: accuracy: not enough data.",
        ),
        (
            [replace(OK, findings=(BELOW,))],
            FIGURES,
            f"{NO_WORSE} Worse than agreed, by no more than chance may explain: {BELOW.text}.",
        ),
        (
            [replace(OK, findings=(BELOW,))],
            replace(FIGURES, accuracy=Rate(84, 100)),  # of the month all are named, as the table beside it shows them
            f"{NO_WORSE} Worse than agreed, by no more than chance may explain: {BELOW.text}. "
            "Over the whole month worse than agreed: accuracy.",
        ),
        (
            [replace(OK, findings=(PLAINLY,))],
            replace(FIGURES, accuracy=Rate(320, 400)),
            f"Worse than agreed, by more than the sample's chance: {PLAINLY.text}. {NO_ALARM} "
            "Over the whole month worse than agreed, by more than the sample's chance: accuracy.",
        ),
        (
            [OK],
            replace(FIGURES, accuracy=Rate(84, 100)),
            f"{NO_WORSE} Over the whole month worse than agreed: accuracy.",
        ),
        (
            [replace(OK, findings=(LATE,))],
            FIGURES,
            f"{NO_WORSE} Not known yet when the newest week was reviewed, and judged by the weeks before: accuracy.",
        ),
    ],
)
def test_the_word_for_the_model_s_health_is_told_with_what_it_rests_on(weeks, month, words):
    assert in_words(weeks, report(figures=month).rates, {"accuracy": 0.85}) == words


def test_the_page_holds_the_tables_and_the_chart_and_fetches_nothing():
    page = render_html("A & B, 2026-11", render_markdown(report(), CLIENT), b"picture")
    assert "<title>A &amp; B, 2026-11</title>" in page
    assert page.count("<table>") == 2
    assert f'src="data:image/png;base64,{b64encode(b"picture").decode()}"' in page
    assert "http:" not in page
    assert "https:" not in page


def test_nothing_that_a_customer_writes_becomes_a_tag_a_link_or_an_image():
    asked = "<b>see</b> [my order](javascript:alert(1)) and ![x](//evil.example/p.png), R&amp;D"
    odd = EdgeCase("7", asked, "order_status", 0.3, None, (Reason.UNSURE,))
    figures = replace(
        FIGURES,
        confusion=(Confusion("a", asked, 4),),
        slices={asked: {asked: Slice(90, Rate(80, 90), Rate(60, 90), Rate(60, 62), Rate(20, 90))}},
        unknown_labels={asked: 3},
    )
    weeks = (replace(week("2026-W47"), edges=Edges(300, {Reason.UNSURE: 1}, (odd,))),)
    markdown = render_markdown(report(reviews=weeks, figures=figures), CLIENT)
    assert markdown.count("my order") == 6  # a label, a key and its heading, a value, a request and an answer
    assert not re.search(r"<\w|\]\(|&\w+;", markdown)
    page = render_html("Northwind", markdown, b"picture")
    assert page.count("&lt; b&gt;see&lt; /b&gt; [my order] (javascript:alert(1))") == 6
    assert not any(tag in page for tag in ("<a ", "<b>", 'src="//', "&amp;lt;"))


def test_a_chart_is_drawn_for_weeks_with_and_without_data_and_for_none():
    blank = replace(week("2026-W46"), figures=replace(FIGURES, accuracy=NOTHING, auto_resolution=NOTHING))
    pictures = [draw_chart(weeks, CLIENT) for weeks in ([], [blank], [blank, week("2026-W47")])]
    assert all(picture.startswith(b"\x89PNG\r\n") for picture in pictures)
    assert len(set(pictures)) == 3


def test_what_goes_on_for_weeks_is_told_once_as_it_was_said_last():
    change = Change(Kind.POLICY, "9 of 9 'a' answers should be 'b'", "Add the rule.", 9, "a", "b")
    weeks = [replace(week(f"2026-W{n}", alert=True), changes=(replace(change, n=n),)) for n in (46, 47)]
    weeks[0] = replace(weeks[0], findings=(replace(weeks[0].findings[0], text="as it began"),))
    lines = said(reviews=tuple(weeks))
    assert sum(line.startswith("- accuracy 70.0%") for line in lines) == 1
    assert "- as it began." not in lines
    assert [line for line in lines if "label or policy change" in line] == [
        "- label or policy change: 9 of 9 'a' answers should be 'b'. Add the rule."
    ]


def test_errors_are_shown_by_kind_of_request_and_by_channel():
    figures = replace(
        FIGURES,
        confusion=(Confusion("refund", "refund", 6), Confusion("refund", "delay", 4), Confusion("size", "size", 9)),
        slices={"channel": {"email": Slice(90, Rate(80, 90), Rate(60, 90), Rate(60, 62), Rate(20, 90))}},
    )
    lines = said(figures=figures)
    # 4 of 4 `delay` were missed; of 10 `refund` answers 6 were right, and all 6 found
    assert "| delay | 0.0 % (0-49 %, of 4) | no data |" in lines
    assert "| refund | 100.0 % (61-100 %, of 6) | 60.0 % (31-83 %, of 10) |" in lines
    assert not any(line.startswith("| size ") for line in lines)
    assert any(line.startswith("| email | 90 | 88.9 % ") for line in lines)


def test_where_weeks_have_weights_so_have_the_tables_by_kind_of_request_and_by_channel():
    figures = replace(
        FIGURES,
        confusion=(Confusion("refund", "refund", 6), Confusion("refund", "delay", 4)),
        slices={"channel": {"email": Slice(90, Rate(80, 90), Rate(60, 90), Rate(60, 62), Rate(20, 90))}},
    )
    half, third = WeightedRate(0.5, 10, 8.0), WeightedRate(1 / 3, 12, 9.0)
    weighted = WeightedQuality(
        *[NOTHING_WEIGHTED] * 3,
        labels={"refund": WeightedLabel(precision=half, recall=third)},
        slices={"channel": {"email": WeightedSlice(accuracy=third, auto_resolution=half)}},
    )
    lines = said(figures=figures, weighted=weighted)
    assert f"| refund | {share(third)} | {share(half)} |" in lines
    assert "| delay | 0.0 % (0-49 %, of 4) | no data |" in lines  # of a report from before labels were weighted
    assert f"| email | 90 | {share(third)} | {share(half)} | {share(Rate(20, 90))} |" in lines


def test_what_keeps_going_wrong_is_told_with_examples_and_trend():
    theme = Theme(
        ("tent", "rent"), 6, 5, {"2026-W46": 1, "2026-W47": 5}, "stock", "rental", ("Can I rent a tent?",), "2026-W41"
    )
    lines = said(themes=(theme,))
    assert "| tent, rent | 2026-W41 | 6 | 5 | - | stock | rental | 1 5 | growing |" in lines
    assert "- tent, rent, for example: “Can I rent a tent?”" in lines
    assert "| tent, rent | 2026-W41 | 6 | 5 | 2 | stock | rental | 1 5 | growing |" in said(
        themes=(replace(theme, unusual=2),)
    )


def test_what_was_unusual_and_not_found_wrong_is_told_apart_from_what_goes_wrong():
    theme = Theme(("tent",), 6, 0, {"2026-W46": 1, "2026-W47": 5}, "stock", None, ("A tent?",), "2026-W41", (), 6)
    lines = said(unusual=(theme,))
    assert "## What was unusual, and not found wrong" in lines
    assert "| tent | 2026-W41 | 6 | stock | 1 5 | growing |" in lines
    assert "- tent, for example: “A tent?”" in lines
    assert "## What keeps going wrong" not in lines
    assert "## What was unusual, and not found wrong" not in said()


def test_an_estimate_is_never_told_without_saying_what_it_is():
    reviewed = replace(week("2026-W47"), estimate=Estimate(0.84, 0.81, 0.87, 300))
    text = " ".join(said(reviews=(reviewed,)))
    assert "about 84% (81%..87%, from 300 answers checked before)" in text
    assert "An estimate, which does not fall where the right answer to a request has changed." in text


def test_generated_answers_are_told_by_what_is_known_of_them():
    answers = Generated(Rate(0, 0), None, None, Mean(12.5, 11.0, 14.0, 300), Rate(3, 300))
    lines = said(reviews=(replace(week("2026-W47"), generated=answers),))
    assert "- words in an answer: 12.5 (95% CI 11..14, n=300)" in lines
    assert not any("token F1" in line for line in lines)


def test_edge_cases_and_what_is_still_going_on_are_in_the_report():
    odd = EdgeCase("7", "Do you sell [link]", "order_status", 0.3, None, (Reason.UNSURE, Reason.FAR))
    newest = replace(week("2026-W47"), edges=Edges(300, {Reason.UNSURE: 4, Reason.FAR: 1}, (odd,)))
    going_on = Trouble("new category tents", "2026-W40", "3", MONDAY, "9 requests were 'tents'", "Agree on it.")
    lines = said(reviews=(newest,), going_on=(going_on,))
    assert "- Still going on since 2026-W40: 9 requests were 'tents'. Agree on it." in lines
    assert (
        "Edge cases of the newest week: low confidence 4, far from the training data 1 (of 300 requests looked at). "
        "For example: “Do you sell [link]” (low confidence, far from the training data)."
    ) in lines


def test_a_retrain_says_what_it_did_about_what_kept_going_wrong():
    themed = replace(DECISION, themes=(OnTheme("tent, rent", "2026-W40", Rate(2, 14), Rate(11, 14)),))
    assert "    - on what kept going wrong, tent, rent (since 2026-W40): 11 of 14 right, before 2" in said(
        decisions=(themed,)
    )


def test_the_delay_of_labels_is_told():
    lines = said(figures=replace(FIGURES, label_delay={0: 60, 3: 30, 9: 10}))
    assert "| Days until half, nine in ten of those answers were known | 0, 3 | |" in lines


def test_a_change_order_that_nobody_has_taken_up_is_told_again():
    assert "No retrain was due and none was needed." in said(reviews=(week("2026-W47"),))
    alarmed = week("2026-W47", alert=True)
    assert "No retrain was done this month." in said(reviews=(alarmed,))
    assert "No retrain was done: the change order of 2026-11-23 has not been taken up." in said(standing_order=ORDER)


def test_a_retrain_that_the_newest_week_recommends_is_told():
    wanted = "- The review of 2026-W47 recommends a retrain."
    assert wanted in said(reviews=(week("2026-W47", alert=True),))
    assert wanted not in said(reviews=(week("2026-W47"),))


def test_a_label_that_a_retrain_has_learned_is_not_unknown():
    counted = replace(FIGURES, unknown_labels={"tents": 4, "gift_card": 2}, answered={"billing": 90, "tents": 10})
    assert "Right answers the model was not made for: gift_card (2)." in said(figures=counted)


def test_signs_in_a_label_or_a_channel_move_no_figure_and_mark_nothing():
    figures = replace(
        FIGURES,
        confusion=(Confusion("Billing | Refunds", "*size*\n`s`", 4), Confusion("*size*\n`s`", "Billing | Refunds", 4)),
        slices={"chan|nel": {"app|ios": Slice(90, Rate(80, 90), Rate(60, 90), Rate(60, 62), Rate(20, 90))}},
    )
    told = report(figures=figures)
    page = render_html("Northwind", render_markdown(told, CLIENT), b"")
    assert "<h2>By chan|nel</h2>" in page
    for cell in ("<td>Billing | Refunds</td>", "<td>*size* `s`</td>", "<th>chan|nel</th>", "<td>app|ios</td>"):
        assert cell in page
    assert page.count("<td>0.0 % (0-49 %, of 4)</td>") == 4  # of two labels, each found and given four times
    assert "<td>90</td>" in page
