"""What does a model of its own for a part of the requests begin with?"""

from dataclasses import replace
from datetime import UTC, datetime

from upkeep.cases.case import Case, Item, Source
from upkeep.cases.model_variant import HELD_OUT, NOT_AGREED, SAID_ALREADY, Part, beginning, joined, of_part

MAY = datetime(2026, 5, 1, tzinfo=UTC)
MAIL, CHAT = {"channel": "mail"}, {"channel": "chat"}
PART = Part("channel", "mail")


def case(id: str, answer: str = "refund", source: Source = Source.AUDIT, by=None, drawn: bool = False) -> Case:
    return Case(id, f"request {id}", answer, source, valid_from=MAY, by=by or {}, drawn=drawn)


def begin(cases=(), golden=(), *, held_out=(), labels=frozenset({"refund"}), given=(), given_golden=()):
    return beginning(
        cases,
        golden,
        client="acme",
        part=PART,
        held_out=held_out,
        labels=labels,
        given=given,
        given_golden=given_golden,
    )


def test_what_was_said_of_the_part_is_for_it_and_what_is_of_no_request_but_not_what_is_of_others():
    known = [
        case("p-1", by=MAIL),
        case("p-2", by=CHAT),
        case("p-3"),  # of before requests had a channel
        case("l-1", source=Source.LAUNCH),
        case("s-1", source=Source.SEED),
        case("l-2", source=Source.LAUNCH, by=CHAT),  # of another part, taken along by a variant
    ]
    assert [one.id for one in of_part(known, PART)] == ["p-1", "l-1", "s-1"]


def test_a_case_is_taken_along_as_a_first_one_with_what_decides_its_side():
    said = replace(case("p-1", by=MAIL, drawn=True), like="p-0", group="sha256:0", was_error=True, prediction_id="1")
    made = begin([said])
    first = Case("acme/p-1", said.text, "refund", Source.LAUNCH, MAY, like="acme/p-0", group="sha256:0", by=MAIL)
    assert (made.cases, made.taken, made.golden, made.left_out) == ((first,), 1, (), {})


def test_what_is_held_out_is_compared_on_where_chance_drew_it_and_never_taught():
    cases = [
        case("p-1", by=MAIL),  # an audit
        case("p-2", source=Source.ESCALATION, by=MAIL),  # came back as it was wrong
        case("p-3", source=Source.ESCALATION, by=MAIL, drawn=True),  # the same, and chance had drawn it too
        replace(case("p-4", by=MAIL), group="a"),
        replace(case("p-5", by=MAIL), group="a"),  # of one conversation
        case("p-6", by=MAIL),
        case("l-1", source=Source.LAUNCH),
    ]
    made = begin(cases, held_out={f"request {name}" for name in ("p-1", "p-2", "p-3", "p-4", "p-5", "l-1")})
    assert [one.id for one in made.cases] == ["acme/p-6"]
    assert made.golden == tuple(Item(f"acme/p-{n}", f"request p-{n}", "refund", MAY, None, MAIL) for n in (1, 3, 4))
    assert (made.agreed, made.left_out) == (3, {HELD_OUT: 6})


def test_what_is_given_again_stands_once_and_each_has_an_id_of_its_own():
    before = (Item("1", "one", "refund"), Item("2", "two", "refund"))
    made = joined(before, [Item("1", "three", "refund"), Item("acme/3", "Two", "return")], client="acme")
    assert [(one.text, one.answer) for one in made] == [("one", "refund"), ("Two", "return"), ("three", "refund")]
    assert len({one.id for one in made}) == 3
    assert made[1].id == "given-acme/3"
    assert all(one.id.startswith("1-") for one in (made[0], made[2]))


def test_an_answer_that_the_variant_may_not_give_is_left_out_and_of_one_that_writes_none_is():
    cases = [case("p-1", "warranty", by=MAIL), case("p-2", by=MAIL)]
    golden = [Item("g-1", "agreed", "warranty", by=MAIL), Item("g-2", "agreed too", "refund", by=MAIL)]
    made = begin(cases, golden)
    assert ([one.id for one in made.cases], made.left_out) == (["acme/p-2"], {NOT_AGREED: 1})
    assert [one.id for one in made.golden] == ["acme/g-2"]
    assert begin(cases, golden, labels=None).taken == begin(cases, golden, labels=None).agreed == 2


def test_agreed_items_of_the_part_come_along_and_of_other_requests_do_not():
    golden = [
        Item("g-1", "one", "refund", by=MAIL),
        Item("g-2", "two", "refund", by=CHAT),
        Item("g-3", "three", "refund"),
    ]
    assert begin((), golden).golden == (Item("acme/g-1", "one", "refund", by=MAIL),)


def test_what_is_given_stands_where_the_client_has_the_same_text():
    given = (Case("e-1", "Request  P-1", "refund", Source.LAUNCH),)
    agreed = (Item("i-1", "request p-2", "refund"),)
    cases, golden = [case("p-1", by=MAIL), case("p-2", by=MAIL)], [Item("g-1", "request p-2", "refund", by=MAIL)]
    made = begin(cases, golden, given=given, given_golden=agreed)
    assert (made.cases, made.golden) == (given, agreed)
    assert (made.taken, made.agreed, made.left_out) == (0, 0, {SAID_ALREADY: 2})
