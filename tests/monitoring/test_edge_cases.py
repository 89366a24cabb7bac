"""Are the requests that a model is least made for found, each with its reasons, and the ordinary ones not?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from tests.audited import FIRST, agreed, serve
from upkeep import records
from upkeep.cases.case import Case, Source
from upkeep.cases.snapshot import Lesson
from upkeep.cases.split import Side
from upkeep.conversations import Role, Turn, as_text
from upkeep.desk import LAUNCH_CASES, Desk
from upkeep.log.entries import Prediction
from upkeep.log.files import write_predictions
from upkeep.log.truth import Truth
from upkeep.monitoring.edge_cases import EdgeCase, Edges, Familiar, Reason, familiar, find_edges
from upkeep.monitoring.edge_shares import crowded
from upkeep.periods import week
from upkeep.redaction import Redaction
from upkeep.release import Action, Entry
from upkeep.stages.challengers import Challenger
from upkeep.stages.monitoring import review_week
from upkeep.stages.request_analysis import FAMILIAR, WeekAnalysis, analyse_week
from upkeep.statistics.rates import Rate
from upkeep.statistics.significance import more_often

WEEK = timedelta(weeks=1)
KNOWN = {"where", "parcel", "order", "please", "thanks"}


def request(id: str, text: str = "where is the parcel please", confidence: float = 0.9) -> Prediction:
    return Prediction(id, FIRST, text, "order_status", confidence, "1", True)


def edges(
    *requests: Prediction,
    truths: dict[str, Truth] | None = None,
    known: Familiar | None = None,
    by: Sequence[str] = (),
) -> Edges:
    vectors = np.eye(4, dtype=np.float32)[[0] * len(requests)]
    return find_edges(
        requests,
        vectors,
        truths=truths or {},
        labels=("order_status", "refund"),
        known_words=KNOWN | {"the"},
        known=known or Familiar(np.eye(4, dtype=np.float32)[:1], 0.1),
        redaction=Redaction(),
        by=by,
    )


def test_an_ordinary_request_is_no_edge_case():
    assert edges(request("1")) == Edges(1, {}, (), answered={"order_status": Rate(0, 1)})
    assert str(edges(request("1"))) == "none (of 1 request looked at)"


def test_each_reason_is_named_and_the_oddest_request_comes_first():
    half = request("half", "where are parcel fluxgates doodads")  # 3 of 5 words are unknown
    found = edges(request("unsure", confidence=0.49), half, request("half2", half.input, 0.2), request("sure"))
    assert [(one.id, one.reasons) for one in found.cases] == [
        ("half2", (Reason.UNSURE, Reason.WORDS)),
        ("half", (Reason.WORDS,)),
        ("unsure", (Reason.UNSURE,)),
    ]
    assert found.counts == {Reason.UNSURE: 2, Reason.WORDS: 2}
    assert str(found) == "low confidence 2, unknown words 2 (of 4 requests looked at)"


def test_an_edge_case_shows_nobodys_data_in_the_answers_either():
    sent = replace(request("1", confidence=0.2), output="We wrote to ada@example.com")
    (found,) = edges(sent, truths={"1": Truth(False, "Ada, call +49 30 12345678")}).cases
    assert (found.answer, found.right) == ("We wrote to [e-mail]", "Ada, call [phone]")


def test_a_right_answer_that_is_no_label_of_the_models_is_one():
    truths = {"new": Truth(False, "tents"), "known": Truth(False, "refund"), "unsaid": Truth(False, None)}
    found = edges(*(request(id) for id in truths), truths=truths)
    assert [(one.id, one.right, one.reasons) for one in found.cases] == [("new", "tents", (Reason.NO_LABEL,))]


def test_they_are_counted_by_the_model_s_answer_and_by_metadata_and_each_says_its_own():
    def sent(id: str, channel: object, confidence: float, output: str | None = "order_status") -> Prediction:
        return replace(request(id, confidence=confidence), output=output, metadata={"channel": channel, "plan": "a"})

    rows = [
        sent("1", "mail", 0.2),
        sent("2", "mail", 0.9),
        sent("3", None, 0.3, None),
        sent("4", "chat", 0.9, "refund"),
    ]
    truths = {"4": Truth(False, "tents")}  # that no label fits is known of those only that people looked at
    found = edges(*rows, by=("channel",), truths=truths)
    assert found.answered == {"order_status": Rate(1, 2), "refund": Rate(0, 1)}
    assert found.by == {"channel": {"mail": Rate(1, 2), "(none)": Rate(1, 1), "chat": Rate(0, 1)}}
    assert {one.id: one.by for one in found.cases} == {"1": {"channel": "mail"}, "3": {}, "4": {"channel": "chat"}}
    assert str(found.cases[0]) == "“where is the parcel please”: low confidence, channel mail"


def shares(**odd: tuple[int, int]) -> Edges:
    return Edges(300, {}, (), by={"channel": {value: Rate(*one) for value, one in odd.items()}})


def test_where_they_are_much_more_frequent_than_elsewhere_beyond_chance_that_is_told():
    told = crowded(shares(chat=(12, 240), mail=(30, 60)))
    assert [str(one) for one in told] == ["of channel 'mail' 30 of 60 requests, elsewhere 12 of 240"]
    assert crowded(shares(chat=(36, 240), mail=(15, 60))) == []  # 25 % are more than 15 %, and not twice as much
    assert crowded(shares(chat=(12, 240), mail=(2, 4))) == []  # two of four may be chance
    assert crowded(shares(mail=(30, 60))) == []  # there is no elsewhere
    by_answer = Edges(300, {}, (), answered={"order_status": Rate(5, 270), "refund": Rate(12, 30)})
    assert [str(one) for one in crowded(by_answer)] == ["of the answer 'refund' 12 of 30 requests, elsewhere 5 of 270"]


def test_of_many_values_looked_at_chance_alone_makes_none_stand_out():
    # three of four against 87 of 1,160: a chance of 0.024 were they twice as frequent, less than 5 % for one value
    one = more_often(Rate(3, 4), Rate(87, 1160), times=2)
    assert 0.01 < one < 0.05
    assert crowded(shares(odd=(3, 4), **{f"v{n}": (3, 40) for n in range(29)})) == []


def test_those_listed_before_they_were_counted_so_are_read_as_they_are(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    old = b'{"id": "1", "text": "t", "answer": null, "confidence": 0.1, "right": null, "reasons": ["low confidence"]}'
    desk.store.write("edge-cases/2026-W06.jsonl", old)
    desk.store.write("edges.json", b'{"looked": 1, "counts": {"low confidence": 1}, "cases": [' + old + b"]}")
    (case,) = records.load_rows(desk.store, "edge-cases/2026-W06.jsonl", EdgeCase)
    assert records.load(desk.store, "edges.json", Edges) == Edges(1, {Reason.UNSURE: 1}, (case,))
    assert (case.by, crowded(Edges(1, {Reason.UNSURE: 1}, (case,)))) == ({}, [])


def looked_at(vectors: np.ndarray, known: Familiar) -> Edges:
    rows = [request(f"{at}") for at in range(len(vectors))]
    return find_edges(
        rows, vectors.astype(np.float32), truths={}, labels=(), known_words=(), known=known, redaction=Redaction()
    )


def test_what_lies_farther_from_every_training_text_than_those_from_each_other_is_far():
    rng = np.random.default_rng(0)
    cloud = np.array([1.0, 0, 0, 0]) + rng.normal(scale=0.05, size=(400, 4))
    cloud = (cloud / np.linalg.norm(cloud, axis=1, keepdims=True)).astype(np.float32)
    known = familiar(cloud[:200])
    found = looked_at(cloud[200:], known)
    assert found.counts.get(Reason.FAR, 0) <= 8  # 1 % of the training texts are, as many of these are expected
    assert looked_at(np.eye(4)[2:3], known).counts == {Reason.FAR: 1}


def test_where_no_training_text_is_known_no_word_is_unknown_and_nothing_is_far():
    assert looked_at(np.eye(4)[:1], familiar(np.zeros((0, 4), dtype=np.float32))).counts == {}


def test_a_weeks_edge_cases_are_listed_in_the_store_redacted(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    cases = [Case(str(n), f"Where is order {n}, ask the shop", "order_status", Source.LAUNCH) for n in range(40)]
    records.save_rows(desk.store, LAUNCH_CASES, cases)
    serve(desk, 0, wrong=3)
    found = review_week(desk, FIRST + timedelta(weeks=1))
    assert found.edges is not None
    assert found.edges.looked == 60
    listed = records.load_rows(desk.store, "edge-cases/2026-W06.jsonl", EdgeCase)
    assert listed[: len(found.edges.cases)] == list(found.edges.cases)
    assert not any("example.com" in one.text for one in listed)


def test_of_a_conversation_what_the_user_has_said_is_looked_at_whatever_was_answered(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    launched(desk)
    window, until = week("2026-W06", desk.zone), FIRST + WEEK
    found = []
    for answer in ("Which order is it?", "Kann ich Ihnen mit einer Rechnung weiterhelfen?"):
        said = [Turn(Role.USER, "Where is it, shop"), Turn(Role.ASSISTANT, answer), Turn(Role.USER, "Ask order 7")]
        log = [replace(request(f"talk-{n}"), input=as_text(said)) for n in range(30)]
        write_predictions(desk.store, log, name="talks")
        found.append(analyse_week(desk, window, until=until))
    english, german = found
    assert english is not None
    assert german is not None
    assert english.inputs.answered == 30
    assert german.inputs == english.inputs
    assert german.edges.counts == english.edges.counts


def test_a_client_that_was_never_onboarded_is_not_told_of_training_data_that_nobody_has(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 0, wrong=3)
    odd = Prediction("odd", FIRST, "Kann ich mein Zelt morgen umtauschen", "order_status", 0.99, "1", True, None, {})
    write_predictions(desk.store, [odd], name="odd")
    collected = [Case(str(n), f"Where is order {n}, ask the shop", "order_status", Source.AUDIT) for n in range(40)]
    records.save_rows(desk.store, "cases/2026-W05.jsonl", collected)  # what people said is no training yet
    seen = analyse_week(desk, week("2026-W06", desk.zone), until=FIRST + timedelta(weeks=1))
    assert seen is not None
    assert seen.inputs.words == Rate(0, 0)
    assert seen.edges.counts == {}


def test_training_texts_are_embedded_once_for_as_long_as_they_are_the_same(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    cases = [Case(str(n), f"Where is order {n}, ask the shop", "order_status", Source.LAUNCH) for n in range(40)]
    records.save_rows(desk.store, LAUNCH_CASES, cases)
    serve(desk, 0, wrong=3)
    window, until = week("2026-W06", desk.zone), FIRST + timedelta(weeks=1)
    first = analyse_week(desk, window, until=until)
    kept = desk.store.read(FAMILIAR)
    assert analyse_week(desk, window, until=until) == first
    assert desk.store.read(FAMILIAR) == kept
    records.save_rows(desk.store, LAUNCH_CASES, cases[:20])
    analyse_week(desk, window, until=until)
    assert desk.store.read(FAMILIAR) != kept


def launched(desk: Desk) -> None:
    """Begin with cases in which `ada`, `example` and `com` are no words: three of six of each request."""
    cases = [Case(str(n), f"Where is order {n}, ask the shop", "order_status", Source.LAUNCH) for n in range(40)]
    records.save_rows(desk.store, LAUNCH_CASES, cases)
    serve(desk, 0, wrong=3)


def into_service(desk: Desk, number: int, version: str, at: datetime, *taught: str, action=Action.PROMOTE) -> None:
    """Put a version into service that was taught some texts, or one that was in service before."""
    if taught:
        lessons = [Lesson(Side.TRAIN, Case(text, text, "order_status", Source.AUDIT)) for text in taught]
        records.save_rows(desk.store, f"snapshots/taught-{version}.jsonl", lessons)
        made = Challenger(
            period=f"taught-{version}", as_of=at, version=version, labels=(), new_labels=(), waiting_labels={},
            trained_on=len(taught), superseded=0, training_digest="", weights_digest="", threshold=0.3,
            expected_automatic=0.5, reload_exact=True,
        )  # fmt: skip
        records.save(desk.store, f"challengers/{made.period}.json", made)
    entry = Entry(number, at, action, version, None, "ada", "a test", "test")
    records.save(desk.store, f"releases/log/{number:06}.json", entry)


def seen_in(desk: Desk, *, later: timedelta = timedelta()) -> WeekAnalysis:
    """What week 2026-W06 looks like at its end or later."""
    seen = analyse_week(desk, week("2026-W06", desk.zone), until=FIRST + WEEK + later)
    assert seen is not None
    return seen


def test_what_people_said_since_is_no_training_data_before_a_model_has_learned_it(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    launched(desk)
    before = seen_in(desk)
    assert before.inputs.words == Rate(180, 360)
    assert before.edges.counts[Reason.WORDS] == 60
    said = Case("a", "Where is order 9, ask ada, example com", "refund_status", Source.AUDIT, FIRST - WEEK)
    records.save_rows(desk.store, "cases/2026-W05.jsonl", [said])
    assert seen_in(desk) == before


def test_a_week_is_held_against_what_the_model_in_service_at_its_end_was_taught(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    launched(desk)
    into_service(desk, 1, "1", FIRST - WEEK)  # what it was taught is not on record: what the client began with
    assert seen_in(desk).inputs.words == Rate(180, 360)
    into_service(desk, 2, "2", FIRST + timedelta(days=1), "Where is order 9, ask ada, example com")
    promoted = seen_in(desk)
    assert promoted.inputs.words == Rate(0, 360)
    assert Reason.WORDS not in promoted.edges.counts
    into_service(desk, 3, "1", FIRST + timedelta(days=2), action=Action.ROLLBACK)
    assert seen_in(desk).inputs.words == Rate(180, 360)


def test_a_week_looks_the_same_whatever_was_released_after_it(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    launched(desk)
    into_service(desk, 1, "1", FIRST - WEEK, "Where is my order", "Ask the shop")
    first = seen_in(desk)
    assert first.inputs.words == Rate(180, 360)
    end = week("2026-W06", desk.zone).end
    into_service(desk, 2, "2", end, "Where is order 9, ask ada, example com")
    assert seen_in(desk, later=timedelta(weeks=9)) == first
