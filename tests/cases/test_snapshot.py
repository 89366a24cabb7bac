"""What is a model taught, and in which words has that changed?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases.test_near_duplicates import similarity
from tests.texts import case
from upkeep.cases.case import Item, Source, normalise
from upkeep.cases.doubts import Doubt
from upkeep.cases.near_duplicates import ALIKE
from upkeep.cases.review_batch import Choice, ReviewDecision
from upkeep.cases.snapshot import Facts, Lesson, Snapshot, SnapshotTerms, choose, difference
from upkeep.cases.split import Locked, Side, lock, open_up, sides
from upkeep.config import NewLabels, Relabel, Unreviewed
from upkeep.recipes import Mix, Outdated, load_recipe

RECIPE = load_recipe(Path(__file__).parents[2] / "configs", "lora-encoder")
MAY, JULY = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
RULE = Relabel(old="refund", new="self_service", since=date(2026, 6, 1))
TERMS = SnapshotTerms(
    moment=JULY,
    new_since=None,
    zone="Europe/Berlin",
    labels=("a", "b"),
    out_of_scope="oos",
    new_labels=NewLabels.LEARN,
    unreviewed=Unreviewed.USE_OUTCOMES,
    rules=(),
    recipe=RECIPE,
    reviews_hold=True,
    append_waits=True,
    unasked_wait=True,
)


def chosen(cases, *, asked=(), decided=(), locked=(), mix=None, **terms) -> Snapshot:
    facts = Facts(cases, frozenset(asked), {one.id: one for one in decided}, locked)
    recipe = RECIPE.model_copy(update={"mix": mix or RECIPE.mix})
    return choose(facts, replace(TERMS, recipe=recipe, **terms))


def trainable(numbers, answer="a", *, at=MAY, **more):
    """Collected cases that fall on the side that is trained on."""
    cases = [case(n, answer, at=at, **more) for n in numbers]
    on = sides(cases, {}, RECIPE)
    return [one for one in cases if on[one.id] is Side.TRAIN]


def test_a_new_label_waits_for_enough_cases_and_is_held_where_the_client_wants_it():
    known = [case(n) for n in range(100)] + [case(n, "b") for n in range(100, 200)]
    many, once = trainable(range(200, 240), "new"), trainable(range(240, 300), "rare")[:1]
    outside = trainable(range(300, 340), "oos")
    learned = chosen([*known, *many, *once, *outside])
    assert learned.labels == ("a", "b", "new", "oos")
    assert learned.waiting == {"rare": 1}
    held = chosen([*known, *many, *once, *outside], new_labels=NewLabels.HOLD)
    assert held.labels == ("a", "b", "oos")
    assert held.waiting == {"new": len(many), "rare": 1}
    assert held.left_out["label not taught"] == len(many) + 1


def test_a_label_without_a_case_to_train_on_is_not_taught_and_superseded_answers_are_counted():
    cases = [case(n, "refund") for n in range(60)]
    found = chosen(cases, labels=("refund", "self_service"), rules=(RULE,))
    assert found.labels == ("self_service",)
    assert found.superseded == len(found.train) > 0
    assert len(found.lessons) == 60


def test_appending_teaches_both_answers():
    newer = trainable(range(9), "b")[0]
    cases = [case(100, "refund", text_of=newer.text), newer]
    mix = Mix(outdated=Outdated.APPEND)
    both = chosen(cases, labels=("refund", "b", "self_service"), rules=(RULE,), mix=mix)
    assert sorted(one.case.answer for one in both.lessons) == ["b", "refund"]
    assert both.superseded == 0


def test_appending_teaches_no_answer_that_waits_for_people_as_it_contradicts_a_review():
    read = trainable(range(9), "wrong")[0]
    said = replace(case(10, "b", at=JULY, text_of=read.text), source=Source.CUSTOMER)
    near = replace(said, id="11", text=f"{read.text}?", like=read.id, against=read.id)
    before, review = replace(said, id="12", valid_from=MAY - timedelta(days=1)), said_by_ada(read.id, "a")
    mix = Mix(outdated=Outdated.APPEND)
    how = {"labels": ("a", "b"), "mix": mix}
    waits = chosen([read, said, near], decided=[review], **how)
    assert [(one.case.id, one.case.answer) for one in waits.lessons] == [(read.id, "a")]
    assert waits.left_out == {"against a reviewed answer": 2}
    # an older answer is none that contradicts it, and as none is outdated it stays beside it
    assert [one.case.id for one in chosen([before, read], decided=[review], **how).lessons] == [read.id, "12"]
    decided = [review, said_by_ada("10", "b"), said_by_ada("11", "b")]
    assert [one.case.id for one in chosen([read, said, near], decided=decided, **how).lessons] == [read.id, "10", "11"]
    # a snapshot of before that was so comes to the same again
    of_before = chosen([read, said], decided=[review], **how, append_waits=False)
    assert [one.case.id for one in of_before.lessons] == [read.id, "10"]


def said_by_ada(of: str, answer: str) -> ReviewDecision:
    return ReviewDecision(of, Choice.CHANGE, answer, "ada", JULY, "")


def test_what_nobody_has_read_is_used_skipped_or_left_out_for_its_doubts():
    plain, asked, doubtful = trainable(range(60))[:3]
    doubtful = replace(doubtful, doubts=(Doubt.TOO_SHORT,))
    cases, about = [plain, asked, doubtful], [asked.id]
    assert {one.id for one in chosen(cases, asked=about).train} == {plain.id, asked.id}
    like = case(1000, at=MAY, like=asked.id)  # nobody was asked about this one
    assert like.id in {one.id for one in chosen([*cases, like], asked=about, unreviewed=Unreviewed.SKIP).train}
    skipped = chosen(cases, asked=about, unreviewed=Unreviewed.SKIP)
    assert {one.id for one in skipped.train} == {plain.id}
    assert skipped.left_out == {"not yet reviewed": 1, "unread and doubtful: too short": 1}
    read = [ReviewDecision(one.id, Choice.ACCEPT, "a", "ada", JULY, "") for one in (asked, doubtful)]
    assert len(chosen(cases, asked=about, decided=read, unreviewed=Unreviewed.SKIP).train) == 3


def test_what_there_was_a_reason_to_ask_about_is_not_taught_unread_though_nobody_was_asked():
    plain, asked, wrong, mistake, audited, read = trainable(range(60))[:6]
    told = [replace(one, source=Source.CUSTOMER, was_error=True) for one in (asked, wrong, read)]
    cases = [plain, *told, replace(mistake, suspect=0.1), replace(audited, source=Source.AUDIT, was_error=True)]
    how = {"asked": [asked.id], "decided": [said_by_ada(read.id, "a")]}
    for unreviewed in (Unreviewed.SKIP, Unreviewed.WAIT):
        found = chosen(cases, **how, unreviewed=unreviewed)
        assert {one.id for one in found.train} == {plain.id, audited.id, read.id}  # an auditor was asked
        assert found.left_out == {"not yet reviewed": 1, "never asked about": 2}
        of_before = chosen(cases, **how, unreviewed=unreviewed, unasked_wait=False)
        assert {one.id for one in of_before.train} == {one.id for one in cases} - {asked.id}
        assert of_before.left_out == {"not yet reviewed": 1}
    assert len(chosen(cases, **how).train) == len(cases)


def test_an_answer_that_came_after_another_one_was_accepted_waits_to_be_reviewed():
    (read,) = trainable(range(60))[:1]
    later = replace(read, answer="b", known_from=JULY)
    accepted = ReviewDecision(read.id, Choice.ACCEPT, "a", "ada", JULY, "")
    terms = {"asked": [read.id], "unreviewed": Unreviewed.SKIP}
    first = chosen([read, later], decided=[accepted], **terms)
    assert ([one.answer for one in first.train], first.left_out) == (["a"], {"not yet reviewed": 1})
    assert [one.answer for one in chosen([read, later], decided=[replace(accepted, answer="b")], **terms).train] == [
        "b"
    ]


def test_all_that_is_new_is_taught_and_of_the_old_a_share_with_some_of_every_label():
    old = [*trainable(range(400)), *trainable(range(400, 460), "b")]
    new = trainable(range(460, 560), at=JULY - timedelta(days=3))
    found = chosen([*old, *new], new_since=JULY - timedelta(days=7), mix=Mix(replayed=50, class_floor=30))
    ids = {one.id for one in found.train}
    assert {one.id for one in new} <= ids
    kept = [one for one in old if one.id in ids]
    assert sum(one.answer == "b" for one in kept) >= 30
    assert 50 <= len(kept) <= 50 + 30
    assert found.left_out["not in the mix"] == len(old) - len(kept)
    assert sum(found.mix.values()) == len(found.train)
    assert (found.mix["other new cases"], found.mix["old cases taught again"]) == (len(new), 50)
    assert (
        found.digest
        == chosen([*new, *old][::-1], new_since=JULY - timedelta(days=7), mix=Mix(replayed=50, class_floor=30)).digest
    )


def test_an_old_case_with_a_new_answer_is_new():
    cases = [case(n, "refund") for n in range(100)]
    mix = Mix(replayed=0, class_floor=0)
    labels = ("refund", "self_service")
    assert len(chosen(cases, rules=(RULE,), labels=labels, new_since=MAY, mix=mix).train) > 50
    assert not chosen(cases, rules=(RULE,), labels=labels, new_since=JULY, mix=mix).train


def test_the_difference_of_two_snapshots_is_told_in_words():
    cases = [case(n, "refund") for n in range(40)]
    more = trainable(range(50, 70), "b")
    labels = ("refund", "self_service", "b")
    before = chosen(cases, labels=labels)
    refused = [ReviewDecision(before.train[0].id, Choice.REJECT, None, "ada", JULY, "")]
    after = chosen(
        [*cases, *more], labels=labels, rules=(RULE,), decided=refused, locked=[Locked("g", before.train[1].text, MAY)]
    )
    assert difference(before.lessons, after.lessons, rejected=after.rejected) == [
        f"{len(more)} added (most of them `b` {len(more)})",
        "38 superseded: `refund` -> `self_service`, from 2026-05-31",
        "1 rejected in review",
        "1 left out",
    ]
    assert difference(before.lessons, before.lessons) == ["nothing"]


def test_what_was_rejected_since_is_told_whether_it_was_taught_or_not_and_whatever_rule_it_had_come_under():
    one, other, never, earlier = trainable(range(60), "refund")[:4]
    twice = (RULE, Relabel(old="self_service", new="b", since=date(2026, 6, 15)))
    labels = ("refund", "self_service", "b")
    refused = [ReviewDecision(each.id, Choice.REJECT, None, "ada", JULY, "") for each in (one, never, earlier)]
    before = chosen([one, other, earlier], labels=labels, rules=twice, decided=refused[2:])
    assert [each.id for each in before.train] == [f"{each.id}@2026-06-01@2026-06-15" for each in (one, other)]
    after = chosen([one, never, earlier], labels=labels, rules=twice, decided=refused)
    told = difference(before.lessons, after.lessons, rejected=after.rejected, rejected_before=before.rejected)
    assert told == ["2 rejected in review", "1 left out"]  # nobody has rejected the other one
    like = replace(one, id="p-9@2026-06-01")  # the client's own
    was = chosen([like], labels=labels)
    now = chosen([like], labels=labels, decided=[replace(refused[0], id=like.id)])
    assert difference(was.lessons, now.lessons, rejected=now.rejected) == ["1 rejected in review"]


def test_where_a_recipe_only_appends_the_second_answer_to_a_text_is_added_and_supersedes_none():
    one, other = (Lesson(Side.TRAIN, case(1, answer)) for answer in ("a", "b"))
    more = Lesson(Side.TRAIN, replace(case(1, "c"), id="0"))
    for before, after in ([one], [one, other]), ([other], [other, one]):
        assert difference(before, after) == [f"1 added (most of them `{after[1].case.answer}` 1)"]
        assert difference(after, before) == ["1 left out"]
    assert difference([one], [more, other]) == ["1 added (most of them `b` 1)", "1 superseded: `a` -> `c`"]
    assert difference([one, other], [more]) == ["1 superseded: `a` -> `c`", "1 left out"]


def test_an_answer_that_other_requests_have_said_since_weighs_otherwise_and_is_told():
    once = Lesson(Side.TRAIN, case(1))
    often = replace(once, case=replace(once.case, requests=50))
    assert difference([once], [often]) == ["1 said by more requests"]
    assert difference([often], [once]) == ["1 said by fewer requests"]


def test_a_case_with_two_answers_is_rejected_once():
    one = trainable(range(60))[0]
    again = replace(one, answer="b", known_from=JULY)
    refused = ReviewDecision(one.id, Choice.REJECT, None, "ada", JULY, "")
    found = chosen([one, again], decided=[refused])
    assert found.rejected == (one.id,)
    assert difference([Lesson(Side.TRAIN, one), Lesson(Side.TRAIN, again)], [], rejected=found.rejected * 2) == [
        "1 rejected in review"
    ]


def test_the_digest_changes_with_all_that_changes_the_training_and_with_nothing_else():
    made = chosen([case(n, "ab"[n % 2]) for n in range(60)])
    (held, *others), first = made.calibration, made.lessons[0]

    def changed(lesson, **to):
        rest = tuple(one for one in made.lessons if one != lesson)
        return replace(made, lessons=(replace(lesson, **to), *rest)).digest

    lesson = next(one for one in made.lessons if one.case == held)
    known = {
        made.digest,
        replace(made, lessons=tuple(one for one in made.lessons if one.case != held)).digest,
        replace(made, labels=made.labels[::-1]).digest,
        changed(lesson, case=replace(held, answer="c")),
        changed(first, case=replace(first.case, requests=9)),
        changed(first, case=replace(first.case, text=first.case.text.upper())),
        changed(first, use=Side.CALIBRATION if first.use is Side.TRAIN else Side.TRAIN),
    }
    assert (len(known), len(others) > 0) == (7, True)
    assert changed(first, case=replace(first.case, reviewer="ada", known_from=JULY)) == made.digest


WORDS = ["where", "is", "my", "new", "card", "parcel", "refund", "late", "today", "again", "please", "help"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=3, max_size=8).map(" ".join)
SAID = st.tuples(
    TEXTS,
    st.sampled_from("ab"),
    st.sampled_from([None, None, "talk 1", "talk 2", "talk 3"]),
    st.sampled_from([None, None, *Choice]),
)
SHARES = st.sampled_from([0.05, 0.2, 0.45])
PERIOD = st.tuples(st.lists(SAID, max_size=12), st.lists(TEXTS, max_size=2), SHARES)
RULES = (Relabel(old="a", new="d", since=date(2026, 5, 20)), Relabel(old="c", new="b", since=date(2026, 6, 20)))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(TEXTS, st.sampled_from("ab")), max_size=15),
    st.lists(PERIOD, min_size=2, max_size=4),
    st.sampled_from([(), RULES]),
    st.sampled_from([Mix(), Mix(replayed=3, class_floor=1, errors=0.3), Mix(outdated=Outdated.APPEND)]),
)
def test_no_evaluation_item_nor_a_near_duplicate_is_ever_in_a_snapshot_before_it_or_after(launch, periods, rules, mix):
    cases = [case(n, answer, text_of=words) for n, (words, answer) in enumerate(launch)]
    locked: list[Locked] = []
    golden: list[Item] = []
    decided: dict[str, ReviewDecision] = {}
    opened: frozenset[float] = frozenset()
    taught: set[str] = set()
    for number, (new, agreed, share) in enumerate(periods):
        moment = MAY + timedelta(days=30 * number)
        for words, answer, talk, choice in new:
            alike = (one for one in cases if similarity(one.text, words) >= ALIKE)
            like, id = next((one.like or one.id for one in alike), None), len(cases)
            new_one = case(
                id,
                answer,
                at=moment,
                text_of=words,
                like=like,
                group=talk,
                audited=id % 2 == 0,
                was_error=id % 3 > 0,
                against=like,
            )
            cases.append(replace(new_one, source=Source.CUSTOMER) if id % 4 == 3 else new_one)
            if choice:
                said = {Choice.ACCEPT: answer, Choice.CHANGE: "c", Choice.REJECT: None}[choice]
                decided[str(id)] = ReviewDecision(str(id), choice, said, "ada", moment, "")
        golden += [Item(f"g{number}{at}", words, "a") for at, words in enumerate(agreed)]
        recipe = RECIPE.model_copy(update={"holdout_share": share, "audited_holdout_share": 0.45, "mix": mix})
        facts = {one.id: one for one in cases}
        stay = open_up(cases, facts, recipe, opened=opened, taught=taught, locked=locked, at=moment)
        opened |= {one.at for one in stay}
        more = lock(cases, facts, recipe, locked=locked, golden=golden, at=moment, opened=opened, taught=taught)
        for item in more:  # what was agreed is an item whatever was taught before
            assert item.id.startswith("g") or all(similarity(item.text, text) < ALIKE for text in taught)
        locked += more
        since = MAY if number else None
        terms = replace(TERMS, moment=moment, recipe=recipe, rules=rules, new_since=since)
        found = choose(Facts(cases, frozenset(), decided, locked, opened), terms)
        for lesson in found.lessons:
            assert all(similarity(lesson.case.text, item.text) < ALIKE for item in locked)
        again = choose(Facts(cases[::-1], frozenset(), decided, locked, opened), terms)
        assert found == again or mix.outdated is Outdated.APPEND  # of one text and answer that keeps the last
        assert {item.text for item in golden} <= {item.text for item in locked}
        taught |= {normalise(lesson.case.text) for lesson in found.lessons}


@pytest.mark.parametrize("share", [0.05, 0.45])
def test_an_item_stays_locked_when_the_recipe_holds_out_less(share):
    cases = [case(n, at=MAY) for n in range(200)]
    facts = {one.id: one for one in cases}
    wide = RECIPE.model_copy(update={"holdout_share": 0.45})
    locked = lock(cases, facts, wide, locked=[], golden=[], at=MAY)
    narrow = RECIPE.model_copy(update={"holdout_share": share})
    found = choose(Facts(cases, frozenset(), {}, locked), replace(TERMS, recipe=narrow))
    assert not {one.case.text for one in found.lessons} & {one.text for one in locked}


def test_a_head_that_grows_is_taught_its_labels_and_no_other_whatever_becomes_of_new_ones():
    known = [case(n) for n in range(100)] + [case(n, "b") for n in range(100, 200)]
    new, other = trainable(range(200, 240), "new"), trainable(range(240, 300), "other")
    found = chosen([*known, *new, *other], new_labels=NewLabels.HOLD, head=("b", "a", "new"))
    assert found.labels == ("b", "a", "new")
    assert found.waiting == {"other": len(other)}
    assert {one.answer for one in found.train} == {"a", "b", "new"}


def test_a_proposal_for_a_new_category_is_taught_once_somebody_has_accepted_it():
    old = trainable(range(20), "oos")[0]
    proposal = replace(old, id="past-1", answer="new", valid_from=JULY, doubts=(Doubt.PROPOSED,), like=old.id)
    accepted = ReviewDecision("past-1", Choice.ACCEPT, "new", "ada", JULY, "")
    heads = {"labels": ("a", "oos"), "head": ("a", "oos", "new")}
    assert [one.answer for one in chosen([old, proposal], **heads).train] == ["oos"]
    (taught,) = chosen([old, proposal], decided=[accepted], **heads).train
    assert (taught.answer, taught.replaced, taught.reviewer) == ("new", "oos", "ada")
