"""Which cases make up a training set, and is it told what share each kind is?"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.texts import case
from upkeep.cases.case import Source
from upkeep.cases.mix import Kind, compose, counted, told
from upkeep.recipes import Mix

SINCE = datetime(2026, 5, 1, tzinfo=UTC)
NEW, OLD = SINCE + timedelta(days=9), SINCE - timedelta(days=9)


def errors(numbers, answer="a"):
    """New requests that the model got wrong, as customers say."""
    return [replace(case(n, answer, at=NEW, was_error=True), source=Source.CUSTOMER) for n in numbers]


def audits(numbers, answer="a"):
    return [case(n, answer, at=NEW, was_error=True) for n in numbers]


def kinds(cases, since=SINCE, **mix) -> dict[str, int]:
    return counted(compose(cases, Mix(**mix), since))


def test_each_kind_of_case_is_told_apart():
    found = [
        errors([1])[0],
        audits([2])[0],
        replace(audits([3])[0], source=Source.UNSURE),
        replace(errors([4])[0], drawn=True),  # audited too
        case(5, at=NEW),
        case(6),
        case(7, at=OLD, was_error=True),
        replace(case(8, at=OLD), valid_from=NEW),
    ]
    assert [part.kind for part in compose(found, Mix(), SINCE)] == [
        Kind.ERROR, Kind.AUDIT, Kind.AUDIT, Kind.AUDIT, Kind.OTHER, Kind.REPLAYED, Kind.REPLAYED, Kind.CHANGED,
    ]  # fmt: skip
    # where nothing is known to be old, the seventh is a corrected audit too
    assert kinds(found, since=None) == {"new errors": 1, "corrected audits": 4, "other new cases": 3}


def test_all_that_is_known_is_taught_unless_a_share_or_a_number_says_otherwise():
    some = [*errors(range(90)), *audits(range(100, 190)), *(case(n, at=OLD) for n in range(200, 210))]
    assert [part.case for part in compose(some, Mix(), SINCE)] == some
    assert [part.case for part in compose(some, Mix(errors=0.1, audits=0.1, replayed=0), None)] == some
    assert compose([], Mix(errors=0.1), SINCE) == []


def test_of_errors_and_audits_no_more_are_taught_than_their_share_and_all_answers_have_their_turn():
    old = [case(n, at=OLD) for n in range(1000, 1060)]
    some = [*errors(range(80)), *errors(range(80, 85), "rare"), *audits(range(100, 130)), *old]
    # of 100 are 25 errors and 15 audits beside the 60 old ones
    assert kinds(some, errors=0.25, audits=0.15) == {
        "new errors": 25, "corrected audits": 15, "old cases taught again": 60,
    }  # fmt: skip
    answers = Counter(p.case.answer for p in compose(some, Mix(errors=0.25), SINCE) if p.kind is Kind.ERROR)
    assert answers["rare"] == 5
    assert kinds(some, errors=0)["corrected audits"] == 30
    assert "new errors" not in kinds(some, errors=0)
    assert compose(some, Mix(errors=0.25), SINCE) == [
        part for part in compose(some, Mix(), SINCE) if part in compose(some[::-1], Mix(errors=0.25), SINCE)
    ]


def test_what_stays_for_its_class_is_told_apart_from_what_chance_drew():
    old = [*(case(n, at=OLD) for n in range(90)), *(case(n, "rare", at=OLD) for n in range(90, 95))]
    found = compose(old, Mix(replayed=10, class_floor=5), SINCE)
    rare = [part for part in found if part.case.answer == "rare"]
    assert len(rare) == 5
    assert counted(found)["old cases taught again"] == 10
    assert counted(found)["old cases for their class"] == len(found) - 10 > 0


SHARE = st.none() | st.floats(0, 1)
COUNT = st.integers(0, 30)


@given(COUNT, COUNT, COUNT, SHARE, SHARE)
def test_no_share_is_ever_exceeded_nor_more_left_out_than_it_takes(wrong, corrected, old, most, audited):
    some = [*errors(range(wrong)), *audits(range(100, 100 + corrected)), *(case(200 + n, at=OLD) for n in range(old))]
    found = kinds(some, errors=most, audits=audited)
    total = sum(found.values())
    for kind, there, share in ((Kind.ERROR, wrong, most), (Kind.AUDIT, corrected, audited)):
        taken = found.get(kind, 0)
        assert taken == there if share is None else taken <= share * total
        assert taken == there or taken + 1 > (share or 0) * total
    assert found.get(Kind.REPLAYED, 0) == old


def test_the_mix_is_told_in_words_with_shares():
    assert told({"new errors": 1, "old cases taught again": 1999}) == (
        "1 new errors (0.1%), 1,999 old cases taught again (100.0%)"
    )
    assert told({}) == ""
