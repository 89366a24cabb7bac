"""What does a model of its own for a part of the requests begin with?"""

from datetime import UTC, datetime

from upkeep.cases.case import Case, Item, Source
from upkeep.cases.model_variant import HELD_OUT, NOT_AGREED, OF_OTHERS, SAID_ALREADY, Part, beginning

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


def test_it_is_taught_what_is_known_of_the_part_and_the_first_cases_and_nothing_of_other_requests():
    made = begin([case("p-1", by=MAIL), case("p-2", by=CHAT), case("p-3"), case("l-1", source=Source.LAUNCH)])
    assert made.cases == (
        Case("acme-p-1", "request p-1", "refund", Source.LAUNCH, valid_from=MAY, by=MAIL),
        Case("acme-l-1", "request l-1", "refund", Source.LAUNCH, valid_from=MAY),
    )
    assert (made.taken, made.golden, made.left_out) == (2, (), {OF_OTHERS: 2})


def test_what_is_held_out_is_compared_on_where_chance_drew_it_and_never_taught():
    cases = [
        case("p-1", by=MAIL),  # an audit
        case("p-2", source=Source.ESCALATION, by=MAIL),  # came back as it was wrong
        case("p-3", source=Source.ESCALATION, by=MAIL, drawn=True),  # the same, and chance had drawn it too
        case("p-4", by=CHAT),
        case("p-5", by=MAIL),
    ]
    made = begin(cases, held_out={f"request p-{n}" for n in (1, 2, 3, 4)})
    assert [one.id for one in made.cases] == ["acme-p-5"]
    assert made.golden == tuple(Item(f"acme-p-{n}", f"request p-{n}", "refund", MAY, None, MAIL) for n in (1, 3))
    assert (made.agreed, made.left_out) == (2, {HELD_OUT: 3, OF_OTHERS: 1})


def test_an_answer_that_the_variant_may_not_give_is_left_out_and_of_one_that_writes_none_is():
    cases = [case("p-1", "warranty", by=MAIL), case("p-2", by=MAIL)]
    golden = [Item("g-1", "agreed", "warranty", by=MAIL), Item("g-2", "agreed too", "refund", by=MAIL)]
    made = begin(cases, golden)
    assert ([one.id for one in made.cases], made.left_out) == (["acme-p-2"], {NOT_AGREED: 1})
    assert [one.id for one in made.golden] == ["acme-g-2"]
    assert begin(cases, golden, labels=None).taken == begin(cases, golden, labels=None).agreed == 2


def test_agreed_items_of_the_part_come_along_and_of_other_requests_do_not():
    golden = [
        Item("g-1", "one", "refund", by=MAIL),
        Item("g-2", "two", "refund", by=CHAT),
        Item("g-3", "three", "refund"),
    ]
    assert begin((), golden).golden == (Item("acme-g-1", "one", "refund", by=MAIL),)


def test_what_is_given_stands_where_the_client_has_the_same_text():
    given = (Case("e-1", "Request  P-1", "refund", Source.LAUNCH),)
    agreed = (Item("i-1", "request p-2", "refund"),)
    cases, golden = [case("p-1", by=MAIL), case("p-2", by=MAIL)], [Item("g-1", "request p-2", "refund", by=MAIL)]
    made = begin(cases, golden, given=given, given_golden=agreed)
    assert (made.cases, made.golden) == (given, agreed)
    assert (made.taken, made.agreed, made.left_out) == (0, 0, {SAID_ALREADY: 2})
