"""Is what has gone wrong recorded once, with what has the same cause, until there is evidence that it is over?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.audited import FIRST, agreed, agreed_on, reviewed, serve
from upkeep import records
from upkeep.config import Thresholds
from upkeep.conversations import Role, Turn, as_text
from upkeep.desk import Desk
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.monitoring.edge_cases import EdgeCase, Edges, Reason
from upkeep.monitoring.review import Review
from upkeep.monitoring.trouble import Change, Kind
from upkeep.slug import slug
from upkeep.stages.incidents import compose, news
from upkeep.stages.monitoring import review_week
from upkeep.stages.troubles import note_troubles, troubles


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    return agreed(tmp_path, monkeypatch)


def test_an_alarm_is_one_trouble_from_its_first_week_to_its_end(desk):
    wrong_by_week = (4, 40, 38, 4, 5)
    touched = []
    for week, wrong in enumerate(wrong_by_week):
        serve(desk, week, wrong=wrong)
        touched.append(reviewed(desk, week))
    assert [len(one) for one in touched] == [0, 1, 0, 0, 1]
    (one,) = troubles(desk)
    assert (one.key, one.opened) == ("2026-W07-accuracy", FIRST + timedelta(weeks=2))
    assert "accuracy 33.3%" in one.text
    assert one.closed == FIRST + timedelta(weeks=5)
    assert one.end is not None
    assert "the trouble since 2026-W07 is over" in one.end


def test_reviewing_a_past_week_again_changes_nothing(desk):
    for week, wrong in enumerate((40, 4, 4)):
        serve(desk, week, wrong=wrong)
        reviewed(desk, week)
    before = troubles(desk)
    for week in range(3):
        assert reviewed(desk, week) == []
    assert troubles(desk) == before


def test_what_is_over_since_is_not_opened_again_by_a_review_of_a_week_in_which_it_went_on(desk):
    founds = []
    for week in range(3):
        serve(desk, week, wrong=4, version="1" if week < 2 else "2")
        founds.append(review_week(desk, FIRST + timedelta(weeks=week + 1)))
    change = Change(Kind.NEW_CATEGORY, "6 requests were 'gift_card'", "Agree on it.", 6, new="gift_card")
    with_it = [replace(one, changes=(change,)) for one in founds[:2]]
    (opened,) = note_troubles(desk, with_it[0])
    assert note_troubles(desk, with_it[1]) == []
    records.save(
        desk.store,
        f"incidents/{opened.key}.json",
        replace(opened, closed=founds[2].as_of, end="It answers 'gift_card'"),
    )
    before = troubles(desk)
    assert note_troubles(desk, with_it[1]) == []
    assert troubles(desk) == before


def test_a_new_model_ends_the_old_ones_trouble(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    serve(desk, 1, wrong=4, version="2")
    (ended,) = reviewed(desk, 1)
    assert ended.end == "Version 2 is in service now"


def test_a_week_without_labels_leaves_a_trouble_open(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    assert reviewed(desk, 1) == []
    assert troubles(desk)[0].closed is None


def test_an_alarm_of_what_is_not_agreed_any_more_is_over(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    serve(desk, 1, wrong=40)
    (ended,) = reviewed(agreed_on(desk, Thresholds()), 1)
    assert ended.end == "It is no longer an agreed figure"


def said_of(desk: Desk, week: int, answer: str, some: range, *, later: int) -> None:
    """What a part of a week's sheet says, which comes back `later` weeks after it."""
    at = FIRST + timedelta(weeks=week + later, hours=2)
    said = [Outcome(f"{week}-{i}", at + timedelta(minutes=i), OutcomeSource.AUDIT, answer) for i in some]
    write_outcomes(desk.store, said, name=f"sheet-{week}-{some.start}")


def test_an_alarm_that_the_rest_of_the_sheets_brings_back_opens_again(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    for week in (1, 2):  # of both weeks the good part of the sheet comes first
        serve(desk, week, wrong=0, n=240, audited=False)
        said_of(desk, week, "order_status", range(60), later=0)
        reviewed(desk, week)
    first = troubles(desk)
    assert [(one.key, one.closed) for one in first] == [("2026-W06-accuracy", FIRST + timedelta(weeks=3))]
    for week in (1, 2):
        said_of(desk, week, "refund_status", range(60, 240), later=3 - week)
    serve(desk, 3, wrong=40)
    (again,) = reviewed(desk, 3)
    assert (again.key, again.week, again.opened) == ("2026-W06-accuracy-2", "2026-W06", FIRST + timedelta(weeks=4))
    assert (again.incident, troubles(desk)[0]) == (again.key, first[0])
    assert [(one.incident, one.event.value) for one in news(desk)] == [
        ("2026-W06-accuracy", "opened"),
        ("2026-W06-accuracy", "closed"),
        ("2026-W06-accuracy-2", "opened"),
    ]
    before = troubles(desk)
    serve(desk, 4, wrong=40)
    assert [reviewed(desk, week) for week in range(5)] == [[]] * 5
    assert troubles(desk) == before


def test_an_alarm_whose_limit_was_taken_back_for_a_week_opens_again_with_it_however_often(desk):
    none = agreed_on(desk, Thresholds())
    for week, limits in enumerate((desk, none, desk, none, desk)):
        serve(limits, week, wrong=40)
        reviewed(limits, week)
    assert [(one.key, one.week, one.closed is None) for one in troubles(desk)] == [
        ("2026-W06-accuracy", "2026-W06", False),
        ("2026-W06-accuracy-2", "2026-W06", False),
        ("2026-W06-accuracy-3", "2026-W06", True),
    ]


def test_a_belated_review_opens_no_second_incident_of_an_alarm_that_a_later_weeks_review_has_open(desk):
    for week, wrong in enumerate((4, 40, 40, 40, 4, 4)):
        serve(desk, week, wrong=wrong)
    assert [[one.key for one in reviewed(desk, week)] for week in (0, 2, 1, 3)] == [[], ["2026-W08-accuracy"], [], []]
    assert [[one.key for one in reviewed(desk, week)] for week in (4, 1, 5)] == [[], [], ["2026-W08-accuracy"]]
    (one,) = troubles(desk)
    assert one.end is not None
    assert "the trouble since 2026-W07 is over" in one.end
    assert reviewed(desk, 1) == []  # it is over by now


@pytest.mark.parametrize(("wrong", "version", "found"), [(4, "1", []), (40, "2", ["2026-W08-accuracy"])])
def test_a_belated_alarm_that_the_next_reviewed_week_does_not_have_is_an_incident_of_its_own(
    desk, wrong, version, found
):
    serve(desk, 0, wrong=4)
    serve(desk, 1, wrong=40)
    serve(desk, 2, wrong=wrong, version=version)
    assert [one.key for week in (0, 2) for one in reviewed(desk, week)] == found
    assert [one.key for one in reviewed(desk, 1)] == ["2026-W07-accuracy"]


def with_changes(desk: Desk, week: int, *kinds: Kind, wrong: int) -> Review:
    """A week's review that has also found changes."""
    serve(desk, week, wrong=wrong)
    found = review_week(desk, FIRST + timedelta(weeks=week + 1))
    return replace(found, changes=tuple(Change(kind, f"so much {kind}", f"Look at {kind}.", 60) for kind in kinds))


def test_all_that_one_review_finds_is_one_incident(desk):
    begun = note_troubles(desk, with_changes(desk, 0, Kind.TRAFFIC, Kind.LABEL_MIX, wrong=40))
    assert [(one.subject, one.joined) for one in begun] == [
        ("accuracy", None),
        ("traffic incident", "2026-W06-accuracy"),
        ("label-mix shift", "2026-W06-accuracy"),
    ]
    assert {one.incident for one in troubles(desk)} == {"2026-W06-accuracy"}


def test_a_run_that_was_killed_between_two_troubles_joins_the_other_to_the_same_incident(desk):
    found = with_changes(desk, 0, Kind.TRAFFIC, Kind.LABEL_MIX, wrong=40)
    note_troubles(desk, found)
    desk.store.delete("incidents/2026-W06-label-mix-shift-{}.json".format(slug("label-mix shift").rpartition("-")[2]))
    (again,) = note_troubles(desk, found)
    assert (again.subject, again.incident) == ("label-mix shift", "2026-W06-accuracy")


def test_what_is_found_while_an_agreed_figure_is_worse_joins_its_incident_and_what_comes_later_does_not(desk):
    note_troubles(desk, with_changes(desk, 0, wrong=40))
    (cause,) = note_troubles(desk, with_changes(desk, 1, Kind.INPUTS, wrong=38))
    assert cause.incident == "2026-W06-accuracy"
    for week in (2, 3):
        note_troubles(desk, with_changes(desk, week, wrong=2))
    assert [one.subject for one in troubles(desk) if one.closed is None] == ["input shift"]
    (later,) = note_troubles(desk, with_changes(desk, 4, Kind.LABEL_MIX, wrong=4))
    assert later.incident == later.key


def test_an_alarm_during_a_change_that_goes_on_is_an_incident_of_its_own(desk):
    note_troubles(desk, with_changes(desk, 0, Kind.LABEL_MIX, wrong=2))
    (alarm,) = note_troubles(desk, with_changes(desk, 1, wrong=40))
    assert (alarm.subject, alarm.incident) == ("accuracy", "2026-W07-accuracy")


def test_requests_unlike_the_training_data_are_shown_with_the_shift_of_requests(desk):
    odd = EdgeCase("7", "ask [e-mail] about a bicycle", "order_status", 0.4, None, (Reason.WORDS,))
    unsure = replace(odd, id="8", text="hm", reasons=(Reason.UNSURE,))
    found = replace(with_changes(desk, 0, Kind.INPUTS, wrong=2), edges=Edges(60, {}, (unsure, odd)))
    (shift,) = note_troubles(desk, found)
    assert shift.examples == ("“ask [e-mail] about a bicycle”",)
    assert "Among the requests that are unlike the training data:\n\n- “ask" in compose(desk, news(desk)[0], FIRST).text


@pytest.mark.parametrize("kind", [Kind.INPUTS, Kind.TRAFFIC])
def test_of_other_requests_than_before_it_is_told_which_words_came_up_with_requests_that_have_them(desk, kind):
    for week in range(3):
        serve(desk, week, wrong=2)
    at = FIRST + timedelta(weeks=2, hours=3)
    texts = [f"My certificate {n} has expired, says ada{n}@example.com" for n in range(12)]
    more = [Prediction(f"more-{n}", at, text, "order_status", 0.9, "1", True) for n, text in enumerate(texts)]
    write_predictions(desk.store, more, name="more")
    found = replace(review_week(desk, FIRST + timedelta(weeks=3)), changes=(Change(kind, "unlike", "Read them.", 72),))
    (other,) = note_troubles(desk, found)
    assert {word.partition(" ")[0] for word in other.words} == {"`certificate`", "`expired`", "`has`", "`says`"}
    assert "`expired` in 12 of 72 (0.0% before)" in other.words
    told = compose(desk, news(desk)[0], FIRST).text
    assert "\n\nIn more of the requests of 2026-W08 than in the 2 weeks with requests before: `" in told
    assert "\n\nRequests that have most of these words:\n\n- “My certificate " in told
    assert len(other.examples) == 3
    assert "ada" not in told
    assert "ask " not in told


@pytest.mark.parametrize(
    ("weeks", "told"),
    [
        (4, "In more of the requests of 2026-W09..2026-W12 than in the 3 weeks with requests before: "),
        (6, "In more of the requests of 2026-W07..2026-W12 than in the week with requests before: "),
    ],
)
def test_words_of_several_weeks_are_compared_with_those_before_the_first_of_them(desk, weeks, told):
    for week in range(7):
        serve(desk, week, wrong=2)
    for week in range(7 - weeks, 7):
        at = FIRST + timedelta(weeks=week, hours=3)
        more = [Prediction(f"more-{week}-{n}", at, "The outage goes on", "it", 0.9, "1", True) for n in range(20)]
        write_predictions(desk.store, more, name="more")
    shift = Change(Kind.INPUTS, "unlike", "Read them.", 320, weeks=weeks)
    (noted,) = note_troubles(desk, replace(review_week(desk, FIRST + timedelta(weeks=7)), changes=(shift,)))
    assert f"`outage` in {weeks * 20} of {weeks * 80} (0.0% before)" in noted.words
    assert told in compose(desk, news(desk)[0], FIRST).text


def test_weeks_without_a_request_are_none_that_words_were_compared_with(desk):
    for week in (0, 2, 3):
        serve(desk, week, wrong=2)
    at = FIRST + timedelta(weeks=3, hours=3)
    more = [Prediction(f"more-{n}", at, "The outage goes on", "it", 0.9, "1", True) for n in range(20)]
    write_predictions(desk.store, more, name="more")
    burst = Change(Kind.TRAFFIC, "more", "Find out.", 80)
    (noted,) = note_troubles(desk, replace(review_week(desk, FIRST + timedelta(weeks=4)), changes=(burst,)))
    assert noted.compared == 2


def test_of_an_old_record_it_is_not_said_how_many_weeks_its_words_were_compared_with(desk):
    (noted,) = note_troubles(desk, with_changes(desk, 0, Kind.TRAFFIC, wrong=2))
    old = records.dump(replace(noted, words=("`outage` in 6 of 60 (0.0% before)",)))
    desk.store.write(f"incidents/{noted.key}.json", old.replace(b"compared", b"unknown"))
    assert "In more of the requests of 2026-W06 than before: `outage` in 6" in compose(desk, news(desk)[0], FIRST).text


def test_of_conversations_the_words_are_those_that_users_said_and_a_request_is_shown_around_them(desk):
    for week in range(2):
        serve(desk, week, wrong=2)
    at = FIRST + timedelta(weeks=1, hours=3)
    more = [f"{'where is order ' * 20}the webhook fails", "Which webhook?", "Any"]
    said = as_text(Turn(role, one) for role, one in zip((Role.USER, Role.ASSISTANT, Role.USER), more, strict=True))
    rows = [Prediction(f"more-{n}", at, said, "it", 0.9, "1", True) for n in range(9)]
    write_predictions(desk.store, rows, name="more")
    burst = Change(Kind.TRAFFIC, "more", "Find out.", 80)
    (noted,) = note_troubles(desk, replace(review_week(desk, FIRST + timedelta(weeks=2)), changes=(burst,)))
    assert {word.partition(" ")[0] for word in noted.words} == {"`any`", "`fails`", "`the`", "`webhook`"}
    assert noted.examples[0].endswith("where is order the webhook fails Any”")


def test_where_more_of_the_same_comes_no_word_is_told(desk):
    serve(desk, 0, wrong=2)
    (burst,) = note_troubles(desk, with_changes(desk, 1, Kind.TRAFFIC, wrong=2))
    assert burst.words == ()
    assert "weeks before:" not in compose(desk, news(desk)[0], FIRST).text


def test_a_change_that_several_weeks_show_is_told_with_all_of_them(desk):
    found = with_changes(desk, 0, Kind.POLICY, wrong=2)
    found = replace(found, changes=(replace(found.changes[0], weeks=4),))
    (policy,) = note_troubles(desk, found)
    assert (policy.week, policy.since) == ("2026-W06", "2026-W03")
    assert "Seen in 2026-W03..2026-W06; model version 1." in compose(desk, news(desk)[0], FIRST).text
