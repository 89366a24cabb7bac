"""Which outcomes become cases, and what do those cases say of themselves?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from upkeep.cases.case import Case, Source, group_of
from upkeep.cases.collection import Fold, Taken, collect, earlier_like, first_day
from upkeep.cases.doubts import Doubt
from upkeep.config import load_client
from upkeep.log.entries import LogWindow, Outcome, OutcomeSource, Prediction
from upkeep.recipes import Task
from upkeep.redaction import PersonalData, Redaction

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = MONDAY + 20 * DAY
CLIENT = load_client(Path(__file__).parents[2] / "configs", "northwind")
ESCALATION, CUSTOMER, AUDIT = OutcomeSource.ESCALATION, OutcomeSource.CUSTOMER, OutcomeSource.AUDIT


def prediction(name: str, text: str = "", output: str | None = "billing") -> Prediction:
    return Prediction(name, MONDAY, text or f"text {name}", output, 0.9, "v3", automatic=output is not None)


def said(name: str, source: OutcomeSource, answer: str | None = None, *, correct=None, after=DAY) -> Outcome:
    return Outcome(name, MONDAY + after, source, answer, correct)


def window(predictions, *outcomes) -> LogWindow:
    by_prediction: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.at):
        by_prediction.setdefault(outcome.prediction_id, []).append(outcome)
    return LogWindow(predictions, by_prediction, [])


def collected(log: LogWindow, *, since=None, known=(), decided=None, rules=(), at=NOW, **changes):
    client = CLIENT.model_copy(update=changes)
    return collect(log, since=since, known=known, decided=decided, rules=rules, client=client, at=at, languages={"en"})


def test_a_case_carries_where_it_came_from_and_that_the_model_was_wrong():
    found = collected(window([prediction("7")], said("7", CUSTOMER, "delivery")))
    wanted = Case("p-7", "text 7", "delivery", Source.CUSTOMER, MONDAY, "7", "v3", was_error=True)
    wanted = replace(wanted, known_from=NOW, given="billing")
    assert found.cases == (wanted,)
    assert found.errors == 1


@pytest.mark.parametrize(
    ("source", "wanted"), [(ESCALATION, Source.ESCALATION), (CUSTOMER, Source.CUSTOMER), (AUDIT, Source.AUDIT)]
)
def test_a_case_names_who_said_the_answer(source, wanted):
    assert collected(window([prediction("1")], said("1", source, "delivery"))).cases[0].source is wanted


def test_an_answer_confirmed_as_right_is_kept_and_is_no_error():
    log = window([prediction("1"), prediction("2")], said("1", AUDIT, correct=True), said("2", AUDIT, "billing"))
    found = collected(log)
    assert [(case.answer, case.was_error) for case in found.cases] == [("billing", False), ("billing", False)]
    assert found.errors == 0


def test_wrong_without_a_right_answer_teaches_nothing_and_is_counted():
    # the second had no answer of the model's that could have been confirmed
    log = window(
        [prediction("1"), prediction("2", output=None)],
        said("1", CUSTOMER, correct=False),
        said("2", AUDIT, correct=True),
    )
    found = collected(log)
    assert (found.cases, found.without_answer, found.known) == ((), 2, 0)


def test_a_prediction_nobody_spoke_of_is_passed_over_in_silence():
    found = collected(window([prediction("1")]))
    assert (found.cases, found.without_answer, found.known, found.errors) == ((), 0, 0, 0)


def test_the_newest_answer_counts():
    first, second = said("1", ESCALATION, "delivery"), said("1", AUDIT, "returns", after=2 * DAY)
    (case,) = collected(window([prediction("1")], second, first)).cases
    assert (case.answer, case.source) == ("returns", Source.AUDIT)


def test_outcomes_count_from_the_last_retrain_on_however_old_their_prediction_is():
    log = window(
        [prediction("old"), prediction("late"), prediction("exact")],
        said("old", AUDIT, "a", after=9 * DAY),
        said("late", AUDIT, "a", after=11 * DAY),
        said("exact", AUDIT, "a", after=10 * DAY),
    )
    found = collected(log, since=MONDAY + 10 * DAY)
    assert [case.id for case in found.cases] == ["p-late", "p-exact"]


def test_a_second_opinion_after_the_retrain_counts_though_the_first_came_before():
    log = window([prediction("1")], said("1", AUDIT, "a"), said("1", AUDIT, "b", after=11 * DAY))
    assert [case.answer for case in collected(log, since=MONDAY + 10 * DAY).cases] == ["b"]


def test_a_request_no_label_fits_is_no_error_when_a_person_got_it():
    given = [replace(prediction("1"), automatic=False), prediction("2")]
    found = collected(window(given, said("1", ESCALATION, "oos"), said("2", CUSTOMER, "oos")))
    assert [(case.answer, case.was_error) for case in found.cases] == [("oos", False), ("oos", True)]


def test_the_same_text_with_the_same_answer_is_folded_and_with_another_it_is_kept():
    known = [Case("l1", "Where is  MY parcel?", "delivery", Source.LAUNCH)]
    texts = {"1": "where is my parcel?", "2": "WHERE is my parcel?", "3": "new", "4": "New"}
    log = window(
        [prediction(name, text) for name, text in texts.items()],
        said("1", AUDIT, "delivery"),  # as at launch
        said("2", AUDIT, "returns"),  # another answer than at launch
        said("3", AUDIT, "returns"),
        said("4", AUDIT, "returns"),  # as the one before it
    )
    found = collected(log, known=known)
    assert [case.id for case in found.cases] == ["p-2", "p-3"]
    assert found.known == 2


DECLINED = "has our card payment been reverted?"


def test_what_is_nearly_the_same_with_the_same_answer_is_folded_and_counted():
    known = [Case("l1", DECLINED, "reverted", Source.LAUNCH)]
    texts = {"1": f"why {DECLINED}", "2": f"why {DECLINED}", "3": "something else altogether"}
    log = window(
        [prediction(name, text, "reverted") for name, text in texts.items()],
        said("1", AUDIT, correct=True),
        said("2", CUSTOMER, "reverted"),
        said("3", CUSTOMER, "reverted", correct=False),
    )
    found = collected(log, known=known)
    assert [case.id for case in found.cases] == ["p-3"]
    assert found.folds == (Fold("l1", 2, 0, NOW, drawn=True, confirmed=Source.AUDIT),)  # the first was audited


def test_a_case_keeps_that_chance_drew_it_whoever_else_spoke_of_it():
    agreed = CLIENT.labels[0]
    log = window(
        [
            prediction("1", "why was it declined"),
            prediction("2", "something else"),
            prediction("3", "a tent for a day"),
        ],
        said("1", AUDIT, agreed),
        said("1", CUSTOMER, agreed),
        said("2", CUSTOMER, agreed),
        said("3", AUDIT, "rental"),
    )
    found = collected(log, known=[]).cases
    assert [one.by_chance for one in found] == [True, False, True]
    assert [one.audited for one in found] == [True, False, False]  # of a new label there are few cases to learn from


def test_what_is_nearly_the_same_with_another_answer_is_a_case_that_is_like_the_first():
    known = [Case("l1", DECLINED, "reverted", Source.LAUNCH)]
    log = window([prediction("1", f"why {DECLINED}")], said("1", AUDIT, "declined"))
    (case,) = collected(log, known=known).cases
    assert (case.like, case.conflict) == ("l1", None)  # an older answer may be outdated
    again = window([prediction("2", f"why {DECLINED}")], said("2", AUDIT, "other"))
    assert collected(again, known=[*known, case]).cases[0].like == "l1"


def test_who_said_otherwise_is_told():
    log = window(
        [prediction("1", DECLINED), prediction("2", f"why {DECLINED}")],
        said("1", CUSTOMER, "a"),
        said("1", AUDIT, "b", after=2 * DAY),
        said("2", CUSTOMER, "c"),
    )
    first, second = collected(log).cases
    assert first.conflict == "customer said 'a'; audit said 'b'"
    assert second.conflict == "audit said 'b' of p-1"


def test_of_one_request_it_is_told_whoever_said_otherwise_also_who_said_so_twice_or_called_the_model_right_or_wrong():
    given = [prediction(n) for n in "123456"]
    log = window(
        given,
        said("1", AUDIT, "a"),
        said("1", AUDIT, "b", after=2 * DAY),
        said("2", CUSTOMER, "a"),
        said("2", AUDIT, correct=True, after=2 * DAY),
        said("3", AUDIT, correct=True),
        said("3", CUSTOMER, "a", after=2 * DAY),
        said("4", CUSTOMER, correct=False),
        said("4", AUDIT, "billing", after=2 * DAY),
        said("5", CUSTOMER, correct=False),
        said("5", AUDIT, "a", after=2 * DAY),  # it goes together
        said("6", CUSTOMER, "a", correct=False),
        said("6", ESCALATION, "a", after=2 * DAY),
    )
    assert [case.conflict for case in collected(log).cases] == [
        "audit said 'a'; audit said 'b'",
        "customer said 'a'; audit said 'billing'",
        "audit said 'billing'; customer said 'a'",
        "audit said 'billing'; customer said not 'billing'",
        None,
        None,
    ]


def test_of_one_request_two_wordings_that_say_the_same_are_no_conflict():
    log = window(
        [prediction("1", DECLINED, output="Call us")],
        said("1", CUSTOMER, "Open your orders and press cancel."),
        said("1", AUDIT, "Open your orders, and press Cancel there.", after=2 * DAY),
    )
    assert [case.conflict for case in collected(log, task=Task.GENERATION).cases] == [None]


def test_who_wrote_another_answer_is_told_without_personal_data():
    log = window(
        [prediction("1", DECLINED, output="Call us")],
        said("1", CUSTOMER, "Write to ada@example.org"),
        said("1", AUDIT, "Wait", after=2 * DAY),
    )
    (case,) = collected(log, task=Task.GENERATION).cases
    assert case.conflict == "customer said 'Write to [e-mail]'; audit said 'Wait'"


def test_a_better_wording_makes_no_error_of_an_answer_that_is_right_by_the_agreed_measure():
    given = "Open your orders and press cancel."
    log = window(
        [prediction(name, f"{DECLINED} {name}", output=given) for name in ("near", "far", "said")],
        said("near", CUSTOMER, "Open your orders, and press Cancel there."),  # 2 * 6 / (6 + 7) of the words: 0.92
        said("far", CUSTOMER, "Write to us."),
        said("said", CUSTOMER, "Write to us.", correct=True),
    )
    found = collected(log, task=Task.GENERATION)
    assert [case.was_error for case in found.cases] == [False, True, False]
    assert found.errors == 1


def test_personal_data_is_taken_out_before_anything_is_kept():
    text = "Please write to ada@example.org about my parcel"
    found = collected(window([prediction("1", text)], said("1", AUDIT, "delivery")))
    assert found.cases[0].text == "Please write to [e-mail] about my parcel"
    assert (found.redacted, found.redacted_requests) == ({PersonalData.E_MAIL: 1}, 1)


def test_of_a_clients_own_redactor_it_is_counted_in_how_many_requests_it_found_something():
    log = window(
        [prediction("1", "Ada: where is it?"), prediction("2", "and my stove?"), prediction("3", "Ada: and my tent?")],
        *(said(id, AUDIT, "delivery") for id in ("1", "2", "3")),
    )
    found = collected(log, redaction=Redaction(by="tests.cases.test_collection:nameless"))
    assert found.cases[0].text == "[NAME]: where is it?"
    assert (found.redacted, found.redacted_requests) == ({}, 2)


def nameless(text: str) -> str:
    return text.replace("Ada", "[NAME]")


def test_personal_data_in_written_answers_is_counted_apart_from_that_in_requests():
    log = window(
        [prediction("1", DECLINED), prediction("2", "Where is my parcel?")],
        said("1", AUDIT, "Call +49 30 901820 or write to help@acme.example."),
        said("2", AUDIT, "It is on its way."),
    )
    found = collected(log, task=Task.GENERATION)
    assert found.cases[0].answer == "Call [phone] or write to [e-mail]."
    assert (found.redacted, found.redacted_answers) == ({}, 1)
    kept = Redaction(keep=("help@acme.example", "+49 30 901820"))
    assert collected(log, task=Task.GENERATION, redaction=kept).redacted_answers == 0


def test_personal_data_typed_for_a_label_is_not_kept_and_the_case_waits_for_a_person():
    log = window(
        [prediction(str(n), f"{n} Where is the parcel that I sent {'abcdef'[n]}?") for n in range(4)],
        said("0", AUDIT, "ask ada@example.org, 030 1234567"),
        said("1", AUDIT, "FAQ-10023"),  # a code may be a label to be
        said("2", ESCALATION, "ask ada@example.org"),
        said("2", AUDIT, "delivery", after=2 * DAY),
        said("3", AUDIT, "ask 4711 4711"),
    )
    found = collected(log, known=[replace(collected(log).cases[1], id="launch", answer="ask 4711 4711")])
    assert [one.answer for one in found.cases] == ["ask [e-mail], [number]", "FAQ-10023", "delivery", "ask 4711 4711"]
    assert [one.doubts for one in found.cases] == [(Doubt.ANSWER,), (), (), ()]
    assert found.cases[2].conflict == "escalation said 'ask [e-mail]'; audit said 'delivery'"
    assert found.redacted_answers == 1


def test_cases_that_hardly_teach_anything_are_told():
    texts = {"1": "ok", "2": "ada@example.org", "3": "Wo bleibt denn mein Paket, ich warte schon seit Montag darauf"}
    log = window([prediction(n, text) for n, text in texts.items()], *(said(n, AUDIT, "delivery") for n in texts))
    doubts = [case.doubts for case in collected(log).cases]
    assert doubts == [(Doubt.TOO_SHORT,), (Doubt.PERSONAL,), (Doubt.LANGUAGE,)]


def test_requests_of_a_conversation_say_so():
    talks = {"1": 17, "2": "ada@example.org", "3": "17", "4": "", "5": None}
    told = [replace(prediction(id), metadata={} if talk is None else {"talk": talk}) for id, talk in talks.items()]
    log = window(told, *(said(id, AUDIT, "a") for id in talks))
    kept, address = group_of("17"), group_of("ada@example.org")  # nobody's address is kept
    found = collected(log, conversation="talk").cases
    assert [case.group for case in found] == [kept, address, kept, None, None]


def test_a_case_carries_the_values_that_the_client_asks_by_and_no_other_metadata():
    one = replace(
        prediction("1"), metadata={"channel": "mail", "shop": 7, "vip": True, "customer": "ada", "score": 0.5}
    )
    log = window([one, prediction("2")], said("1", AUDIT, "a"), said("2", AUDIT, "a"))
    by = [case.by for case in collected(log, review_by=("vip", "channel", "shop", "score")).cases]
    assert by == [{"vip": "true", "channel": "mail", "shop": "7"}, {}]  # a score has too many values
    assert [case.by for case in collected(log).cases] == [{}, {}]


def test_what_has_been_collected_already_is_not_collected_again():
    log = window([prediction("1")], said("1", AUDIT, "a", after=11 * DAY))
    (case,) = collected(log).cases
    again = collected(log, since=MONDAY + 10 * DAY, known=[case])
    assert (again.cases, again.folds) == ((), ())


def test_the_first_day_of_a_log_is_read_from_its_files_and_strays_are_passed_over():
    keys = ["log/predictions/notes.txt", "log/predictions/2026-11-24/a.jsonl", "log/predictions/2026-11-23/b/c.jsonl"]
    assert first_day(keys) == datetime(2026, 11, 23, tzinfo=UTC)
    assert first_day(["log/predictions"]) is None
    assert first_day([]) is None


def test_a_third_answer_to_a_request_is_like_the_first_case_and_not_like_the_second():
    # a case is on the side of the one that it is like, and nobody looks further than that
    known = [Case("l1", DECLINED, "reverted", Source.LAUNCH)]
    log = window(
        [prediction(name, f"why {DECLINED}") for name in ("1", "2")],
        said("1", AUDIT, "declined"),
        said("2", AUDIT, "other"),
    )
    assert [(case.id, case.like) for case in collected(log, known=known).cases] == [("p-1", "l1"), ("p-2", "l1")]


def test_of_what_is_folded_it_is_counted_how_often_the_model_was_wrong():
    known = [Case("l1", DECLINED, "reverted", Source.LAUNCH)]
    log = window(
        [prediction("1", DECLINED, "reverted"), prediction("2", DECLINED, "billing"), prediction("3", DECLINED, None)],
        *(said(name, CUSTOMER, "reverted") for name in ("1", "2", "3")),
    )
    assert collected(log, known=known).folds == (Fold("l1", 3, 2, NOW),)


def test_that_nobody_knows_the_answer_any_more_takes_back_nothing_that_was_collected():
    first = window([prediction("1")], said("1", AUDIT, "billing"))
    took = Taken(NOW - DAY, collected(first).taken)
    doubted = window([prediction("1")], said("1", AUDIT, "billing"), said("1", CUSTOMER, correct=False, after=2 * DAY))
    found = collect(doubted, since=None, taken=[took], known=(), client=CLIENT, at=NOW, languages={"en"})
    assert (found.cases, found.taken) == ((), {})


def test_whether_a_written_answer_was_right_is_what_was_said_last():
    log = window(
        [prediction("1", DECLINED, output="Press cancel.")],
        said("1", AUDIT, "Write to us.", correct=False),
        said("1", CUSTOMER, "Write to us.", correct=True, after=2 * DAY),
    )
    assert [case.was_error for case in collected(log, task=Task.GENERATION).cases] == [False]


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_earlier_texts_the_most_alike_is_meant_and_of_equals_the_first(turned):
    like, most = "has our card payment been reverted?", "why has our card payment been reverted"
    text = f"{most}?"
    known = [most, like] if turned else [like, most]
    assert earlier_like([text], [*known, most.upper()]) == {0: most}
    assert earlier_like([text, like], ["where is my tent?"]) == {1: text}  # what comes later is not meant
