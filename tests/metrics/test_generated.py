"""Are generated answers compared with references as texts, and counted right or wrong only where people said so?"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.audited import FIRST, agreed, reviewed
from tests.monitoring.test_review import outcome, prediction, window
from upkeep import chain
from upkeep.config import REFUSALS
from upkeep.desk import Desk
from upkeep.errors import ConfigError
from upkeep.log.entries import Outcome, OutcomeSource, Prediction, Sample, sample
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.metrics.closeness import rouge_l
from upkeep.metrics.generated import Generated, Mean, chrf, measure_answers, token_f1, words
from upkeep.monitoring.review import Review, answers_as_known
from upkeep.stages.known_by_now import in_lines, known_by_now
from upkeep.stages.monitoring import review_week, reviews
from upkeep.stages.reporting import write_report
from upkeep.stages.review_charts import chart_review
from upkeep.stages.review_summary import summary
from upkeep.statistics.rates import Rate


def look(*pairs: tuple[str, str | None], source: OutcomeSource = OutcomeSource.AUDIT) -> Generated:
    rows = [prediction(n, given) for n, (given, _) in enumerate(pairs)]
    told = [outcome(n, wanted, source=source) for n, (_, wanted) in enumerate(pairs) if wanted]
    return measure_answers(sample(window(rows, told)), version="1", refusals=REFUSALS)


def test_token_f1_is_the_words_in_common():
    # 3 of 4 words given and 3 of 5 wanted are shared: 2 * 3 / (4 + 5)
    assert token_f1("Your parcel is late.", "your parcel arrives: late today") == pytest.approx(6 / 9)
    assert token_f1("ПОСЫЛКА в пути", "посылка в пути!") == 1.0
    assert token_f1("yes yes", "yes") == pytest.approx(2 / 3)
    assert (token_f1("...", "!"), token_f1("...", "yes")) == (1.0, 0.0)


def test_a_letter_of_a_script_without_spaces_is_a_word():
    answer, reference = "您的订单将在三天内发货。", "您的订单将在三天之内发货。"
    assert token_f1(answer, reference) == rouge_l(answer, reference) == pytest.approx(2 * 11 / (11 + 12))
    assert words("ご注文は3日、iPhone・ケース。") == [*"ご注文は", "3", "日", "iphone", *"ケース"]
    assert token_f1("สั่งซื้อ", "สั่งซื้อแล้ว") == pytest.approx(2 * 8 / (8 + 12))
    assert words("배송 중, 2 Tage später") == ["배송", "중", "2", "tage", "später"]


def test_chrf_knows_any_script():
    assert chrf("посылка в пути", "посылка в пути") == pytest.approx(1)
    assert chrf("abc", "xyz") == pytest.approx(0)
    near, far = (chrf(text, "Your refund is on its way") for text in ("Your refunds are on the way", "We are closed"))
    assert near > far


def test_answers_are_compared_with_what_audits_named_and_nothing_else():
    found = look(("It is on its way.", "it is on its way"), ("On Monday", "On Tuesday"), ("Hello", None))
    assert found.exact == Rate(1, 2)
    assert found.token_f1 == Mean(0.75, 0.0, 1.0, 2)  # 0.75 -+ 12.706 x 0.354 / sqrt(2) is below 0 and above 1
    assert found.words is not None
    assert (found.words.value, found.words.n) == (pytest.approx(8 / 3), 3)
    escalated = look(("On Monday", "On Tuesday"), source=OutcomeSource.ESCALATION)
    assert (escalated.exact, escalated.token_f1, escalated.chrf) == (Rate(0, 0), None, None)


def test_the_interval_of_a_mean_is_students():
    found = Mean.of([0.4, 0.5, 0.6], most=1.0)  # sd 0.1, t with 2 degrees of freedom 4.303
    reach = 4.3027 * 0.1 / 3**0.5
    low, high = (pytest.approx(end, abs=1e-4) for end in (0.5 - reach, 0.5 + reach))
    assert found == Mean(pytest.approx(0.5), low, high, 3)


def test_an_answer_that_an_audit_called_right_is_its_own_reference():
    # 45 of 50 called right without a word, 5 wrong with a better answer: not 0 of 5
    rows = [prediction(n, "It is on its way.") for n in range(51)]
    told = [outcome(n, None, correct=True) for n in range(45)] + [
        outcome(n, "Never", correct=False) for n in range(45, 50)
    ]
    heard = sample(window(rows, [*told, outcome(50, None, correct=False)]))
    found = measure_answers(heard, version="1", refusals=REFUSALS)
    assert found.exact == Rate(45, 50)


@pytest.mark.parametrize(
    ("answer", "refuses"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I am afraid I am unable to see your order.", True),
        ("I cannot provide legal advice.", True),
        ("As an AI model, I have no parcels.", True),
        ("I can't assist with that request.", True),
        ("I am sorry, I won't provide that.", True),
        ("I can not help with that.", True),
        ("I'm unable to help with that.", True),
        ("I am unable to help with that.", True),
        ("I'm not able to help with this request.", True),
        ("I'm not able to answer that.", True),
        ("Sorry, I can't do that.", True),
        ("I can't discuss that.", True),
        ("I'm sorry for your trouble, but I'm unable to see your order.", True),
        ("I'm afraid that can not be done.", True),
        ("I'm sorry for the delay; your parcel arrives on Monday.", False),
        ("You can't return worn shoes.", False),
        ("I can't wait to help you.", False),
        ("I can't help but admire your choice.", False),
        ("You can not only return it, you can swap it.", False),
        ("I'm sorry for the delay. I can not only refund it but send a new one.", False),
        ("If you are not able to log in, reset your password.", False),
        ("I'm sorry to hear that. If you are not able to log in, reset your password.", False),
        ("I'm sorry that you can't log in: reset your password.", False),
        ("I'm sorry your card can not be charged. Try another one.", False),
    ],
)
@pytest.mark.parametrize("apostrophe", ["'", "\u2019"])
def test_refusals_are_counted(answer, refuses, apostrophe):
    assert look((answer.replace("'", apostrophe), None)).refusals == Rate(int(refuses), 1)


def test_a_refusal_s_pattern_that_takes_too_long_is_an_error(monkeypatch):
    monkeypatch.setattr("upkeep.patterns.SECONDS", 0.01)
    slow = sample(window([replace(prediction(0), output="a," * 40)], []))
    with pytest.raises(ConfigError, match=r"^refusals: '.*' has taken more than 0.01 s on a text of 80 characters"):
        measure_answers(slow, version="1", refusals=["(.*?,){20}sorry"])


def test_nothing_to_look_at_is_no_figure():
    nothing = measure_answers(Sample(0, [], {}), version=None, refusals=REFUSALS)
    assert (nothing.exact.value, nothing.token_f1, nothing.words, nothing.refusals.value) == (None, None, None, None)


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    return agreed(tmp_path, monkeypatch, task="generation", training="lora-chat")


def written(desk: Desk, week: int, *, wrong: int, signed: str = "", audited: bool = True) -> None:
    """Sixty texts and, where they are audited, a reference for each and a verdict on all but ten."""
    start = FIRST + timedelta(weeks=week)
    rows = [
        Prediction(
            f"{week}-{n}", start + timedelta(minutes=n), f"Where is {n}?", f"It is on its way, {n}.{signed}", 0.9, "1",
            True,
        )
        for n in range(60)
    ]  # fmt: skip
    write_predictions(desk.store, rows, name="test")
    if audited:
        answered(desk, week, wrong=wrong)


def answered(desk: Desk, week: int, *, wrong: int) -> None:
    """What the week's audit says."""
    said = [
        Outcome(
            f"{week}-{n}", FIRST + timedelta(weeks=week, hours=1, minutes=n), OutcomeSource.AUDIT, "It is coming",
            None if n >= 50 else n >= wrong,
        )
        for n in range(60)
    ]  # fmt: skip
    write_outcomes(desk.store, said, name="test")


def test_another_text_than_the_reference_is_not_wrong_and_a_verdict_decides(desk):
    written(desk, 0, wrong=5)
    found = review_week(desk, FIRST + timedelta(weeks=1))
    assert found.figures.accuracy == Rate(45, 50)
    assert found.figures.labelled == Rate(50, 60)
    assert (found.figures.unknown_labels, found.figures.confusion) == ({}, ())
    assert found.generated is not None
    assert found.generated.exact == Rate(0, 60)
    assert found.generated.token_f1 is not None
    assert found.generated.token_f1.value == pytest.approx(2 * 2 / (6 + 3))


def test_what_a_later_sheet_says_of_a_week_s_texts_is_in_later_reviews_charts_and_the_month_s_report(desk):
    for number in range(3):  # 2026-W06 to W08: each review comes before the sheet of its week
        written(desk, number, wrong=5, audited=False)
        review_week(desk, FIRST + timedelta(weeks=number + 1))
        answered(desk, number, wrong=5)
    weekly = reviews(desk)
    assert [one.generated.exact.n for one in weekly] == [0, 0, 0]
    assert [one.generated.words.n for one in weekly] == [60, 60, 60]
    assert {key: one.exact for key, one in weekly[-1].remeasured.items()} == {
        f"2026-W0{number}": Rate(0, 60) for number in (6, 7)
    }
    assert {key: one.exact.n for key, one in answers_as_known(weekly).items()} == {
        "2026-W06": 60,
        "2026-W07": 60,
        "2026-W08": 0,
    }
    chart_review(desk, weekly[-1])
    newest = desk.registry.client.search_runs(
        [desk.registry.experiment("reviews")], order_by=["tags.`upkeep.week` DESC"]
    )
    history = desk.registry.client.get_metric_history(newest[0].info.run_id, "token_f1")
    assert [(point.step, round(point.value, 3)) for point in history] == [(1, 0.444), (2, 0.444)]

    report = write_report(desk, datetime(2026, 3, 2, 9, tzinfo=UTC))  # the last sheet came back after the last review
    assert {one.week: one.generated.exact.n for one in report.reviews}["2026-W08"] == 60
    page = desk.store.read("reports/2026-02.md").decode()
    assert "## The answers of 2026-W08" in page
    assert "- answers equal to the audited reference: 0.0% (95% CI 0.0%..6.0%, n=60)" in page


def promoted_midweek(desk: Desk) -> None:
    """Version 1 refuses 42 requests, then version 2 takes its place and answers 28."""
    rows = [
        Prediction(
            f"0-{n}", FIRST + timedelta(days=n // 10, minutes=n), f"Where is {n}?",
            "I cannot help with that." if n < 42 else f"It is on its way, {n}.", 0.9, "1" if n < 42 else "2", True,
        )
        for n in range(70)
    ]  # fmt: skip
    write_predictions(desk.store, rows, name="test")


def audited_midweek(desk: Desk) -> None:
    """An audit names a right answer to each, which only version 2 has given."""
    said = [
        Outcome(
            f"0-{n}", FIRST + timedelta(days=n // 10, hours=1, minutes=n), OutcomeSource.AUDIT,
            f"It is on its way, {n}.", n >= 42,
        )
        for n in range(70)
    ]  # fmt: skip
    write_outcomes(desk.store, said, name="test")


def charted(desk: Desk, found: Review) -> dict[str, float]:
    """The newest figures of the review's run in MLflow."""
    chart_review(desk, found)
    run, *_ = desk.registry.client.search_runs(
        [desk.registry.experiment("reviews")], f"tags.`upkeep.week` = '{found.week}'"
    )
    return {name: run.data.metrics[name] for name in ("exact_match", "token_f1", "refusals")}


def test_of_a_week_with_a_promotion_only_answers_of_the_model_in_service_are_counted(desk):
    promoted_midweek(desk)
    audited_midweek(desk)
    noted = chain.review(desk, FIRST + timedelta(weeks=1))
    found, page = noted.review, summary(desk, noted)
    assert found.figures.model_version == "2"
    assert found.generated is not None
    assert (found.generated.exact, found.generated.refusals) == (Rate(28, 28), Rate(0, 28))
    assert "- answers equal to the audited reference: 100.0% (95% CI 87.9%..100.0%, n=28)" in page
    assert charted(desk, found) == {"exact_match": 1.0, "token_f1": 1.0, "refusals": 0.0}
    write_report(desk, datetime(2026, 3, 2, 9, tzinfo=UTC))
    report = desk.store.read("reports/2026-02.md").decode()
    assert "## The answers of 2026-W06\n\nThose of version 2, for which the week is counted.\n" in report
    assert "- answers that refuse: 0.0% (95% CI 0.0%..12.1%, n=28)" in report


def test_so_they_are_when_the_week_s_sheet_comes_back(desk):
    promoted_midweek(desk)
    first = review_week(desk, FIRST + timedelta(weeks=1))
    assert (first.generated.exact, first.generated.refusals) == (Rate(0, 0), Rate(0, 28))
    audited_midweek(desk)
    written(desk, 1, wrong=0, audited=False)
    later = review_week(desk, FIRST + timedelta(weeks=2))
    assert (later.figures.model_version, later.remeasured["2026-W06"].exact) == ("1", Rate(28, 28))  # 1 is back
    known = known_by_now([first, later], desk.client)
    assert known is not None
    assert list(in_lines(known, "1", desk.client))[:2] == [
        "- known by now of 2026-W06, of version 2: accuracy 100.0% (95% CI 87.9%..100.0%, n=28), "
        "calibration error 10.0 points",
        "    - answers equal to the audited reference: 100.0% (95% CI 87.9%..100.0%, n=28)",
    ]


def test_a_month_s_report_tells_of_the_newest_week_whose_answers_were_compared(desk):
    for number in range(2):
        written(desk, number, wrong=5, audited=number == 0)
        review_week(desk, FIRST + timedelta(weeks=number + 1))
    write_report(desk, datetime(2026, 3, 2, 9, tzinfo=UTC))
    assert "## The answers of 2026-W06" in desk.store.read("reports/2026-02.md").decode()


def test_reviews_of_before_answers_were_measured_again_are_read(desk):
    written(desk, 0, wrong=5)
    found = review_week(desk, FIRST + timedelta(weeks=1))
    kept = json.loads(desk.store.read("reviews/2026-W06.json"))
    del kept["remeasured"]
    desk.store.write("reviews/2026-W06.json", json.dumps(kept).encode())
    assert reviews(desk) == [found]


def test_an_alarm_about_texts_shows_those_that_people_called_wrong(desk):
    for week, wrong in enumerate((2, 30)):
        written(desk, week, wrong=wrong, signed=" Yours, ada@example.com")
        touched = reviewed(desk, week)
    (alarm,) = touched
    assert alarm.examples[0].startswith("“Where is ")
    assert "was answered It is on its way, 0. Yours, [e-mail]" in alarm.examples[0]
