"""A model of its own for a part of the requests, on real weights: booked, taught, compared and put into service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import yaml

from tests.partners import MAY, NEW, PART, REFUNDS, VARIANT, audited_shop, shop_home  # noqa: F401 -- fixtures
from upkeep.__main__ import main
from upkeep.cases.case import Case, Item, Source, normalise
from upkeep.cases.model_variant import HELD_OUT, NOT_AGREED, Part
from upkeep.chain import model_variant, retrain
from upkeep.config import Unreviewed
from upkeep.desk import GOLDEN, LAUNCH, LAUNCH_CASES, Desk, desk_of, open_desk
from upkeep.entitlement import ChangeOrder, UseCase
from upkeep.errors import DecisionError, NoChampionError, NotEnoughDataError, PersonError, VariantError
from upkeep.home import configs
from upkeep.periods import Cadence, period
from upkeep.records import load, load_rows, save, save_rows
from upkeep.redaction import PersonalData
from upkeep.stages.asking import answers_to_choose
from upkeep.stages.contract import change_orders
from upkeep.stages.decisions import Decision
from upkeep.stages.locking import locked_items
from upkeep.stages.model_variant import BEGUN, DECIDED, begin_model_variant
from upkeep.stages.month_activity import open_categories
from upkeep.stages.onboarding import REDACTED, Redaction
from upkeep.stages.release import release_log
from upkeep.stages.snapshot import take_snapshot, taught_texts


def ask_for(shop: Desk, **more):
    return model_variant(shop, open_desk(VARIANT), PART, MAY, reason="partners return", by="ada", **more)


def agreed_items(count: int) -> None:
    """How many items a verdict on the variant needs."""
    path = configs() / "clients" / f"{VARIANT}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"minimum_items": count}))


def test_one_that_does_not_win_waits_and_begins_anew_with_more_examples_or_goes_into_service_on_a_word(shop, capsys):
    agreed_items(10_000)
    asked = ["model-variant", "northwind", "--variant", VARIANT, "--as-of", f"{MAY:%Y-%m-%dT%H:%MZ}"]
    assert main([*asked, "--part", "channel=partner", "--reason", "partners return", "--by", "ada"]) == 0
    told = capsys.readouterr().out
    assert f"{VARIANT}: hold, not in service" in told
    assert "  not enough items: have " in told
    assert all(why in told for why in (HELD_OUT, NOT_AGREED))
    variant, made = open_desk(VARIANT), load(open_desk(VARIANT).store, DECIDED, Decision)
    assert ask_for(shop) == made  # nothing is trained again
    assert release_log(variant) == []
    with pytest.raises(NoChampionError, match=f"client {VARIANT}: no champion"):
        retrain(variant, MAY, reason="scheduled")  # it would be compared with nothing
    assert variant.claims() == {}

    # it is the quarter's use case, and no category of the client's own model
    assert shop.use_cases() == [UseCase("2026-Q2", shop.local(MAY), VARIANT, "partners return", "ada", model=True)]
    assert str(shop.use_cases()[0]) == f"{VARIANT} (a model of its own) on 2026-05-04"
    assert VARIANT not in answers_to_choose(shop)
    assert open_categories(shop, period(MAY, Cadence.MONTHLY, shop.zone), shop.local(MAY)) == ()

    check_locked(shop, variant)

    # what is given besides begins it anew, with what was given before
    first, kept = variant.store.read("challengers/launch.json"), "The partners' tents go back to you"
    more = [Case("e-1", kept, NEW, Source.LAUNCH)]
    ask_for(shop, cases=more)
    assert variant.store.read("challengers/launch.json") != first
    again = ask_for(shop, golden=[Item("e-1", "Our stove goes back to you", NEW)])
    assert normalise(kept) in taught_texts(variant, LAUNCH)
    assert [one.text for one in variant.golden()][-1] == "Our stove goes back to you"
    assert "our stove goes back to you" in {normalise(one.text) for one in locked_items(shop)}
    assert ask_for(shop, cases=more) == again  # which says nothing new
    assert (len(shop.use_cases()), again.applied) == (1, False)

    check_refusals(shop, variant, again)
    assert main([*asked, "--part", "channel=partner", "--approve", "--reason", "they ask for it", "--by", "ada"]) == 0
    assert f"{VARIANT}: hold and in service" in capsys.readouterr().out
    assert main(["decisions", VARIANT, "--again"]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith(f"launch: hold, version {again.challenger} against northwind:1; went into service\n")
    assert "  judged again: identical\n" in listed
    (launched,) = release_log(variant)
    assert (launched.version, launched.by, launched.reason) == (again.challenger, "ada", "they ask for it")
    assert (
        "Against version northwind:1 on the same items"
        in variant.store.read(f"releases/models/{again.challenger}/README.md").decode()
    )

    with pytest.raises(VariantError, match="found 1 example more, expected none: it is in service"):
        ask_for(shop, cases=[Case("e-2", "And one more tent", NEW, Source.LAUNCH)])
    with pytest.raises(VariantError, match=r"it is a variant of northwind with channel=partner, expected that and not"):
        model_variant(shop, variant, Part("channel", "web"), MAY, reason="web too")


def check_locked(shop: Desk, variant: Desk) -> None:
    """What either is compared on the other is never taught, whatever becomes of the client's recipe."""
    compared_on = {normalise(one.text) for one in variant.golden()}
    assert len(compared_on & {normalise(text) for text in REFUNDS}) > 10
    assert compared_on <= {normalise(one.text) for one in locked_items(shop)}
    looser = shop.recipe.model_copy(update={"holdout_share": 1e-6, "audited_holdout_share": 1e-6})
    take_snapshot(desk_of(shop.agreement.model_copy(update={"recipe": looser})), "2026-05", MAY)
    assert not compared_on & taught_texts(shop, "2026-05")
    assert not compared_on & taught_texts(variant, LAUNCH)


def check_refusals(shop: Desk, variant: Desk, held: Decision) -> None:
    """Who approves has a name, takes what was compared, and no model that reads back otherwise."""
    with pytest.raises(PersonError):
        model_variant(shop, variant, PART, MAY, reason="they ask for it", approve=True)
    with pytest.raises(VariantError, match="found 1 example more, expected none: an approval is of what was compared"):
        ask_for(shop, cases=[Case("e-2", "And one more tent", NEW, Source.LAUNCH)], approve=True)
    save(variant.store, DECIDED, replace(held, terms=held.terms and replace(held.terms, reload_exact=False)))
    with pytest.raises(DecisionError, match="train it again"):
        ask_for(shop, approve=True)
    save(variant.store, DECIDED, held)


def test_what_was_given_is_kept_whatever_comes_between(shop):
    variant = open_desk(VARIANT)

    def begin(*cases: str, golden: Sequence[str] = (), part: Part = PART, approve: bool = False):
        begun = begin_model_variant(
            shop, variant, part, as_of=MAY, reason="partners return", by="ada", approve=approve,
            cases=[Case(f"e{n}", text, NEW, Source.LAUNCH) for n, text in enumerate(cases)],
            golden=[Item(f"g{n}", text, NEW) for n, text in enumerate(golden)],
        )  # fmt: skip
        taught = {one.text for one in load_rows(variant.store, LAUNCH_CASES, Case)}
        return begun, taught, [one.text for one in variant.golden()]

    taught_already = next(case.text for case in shop.cases() if case.source is Source.LAUNCH)
    first, taught, agreed = begin("Tent of ada@example.com", golden=["Our stove goes back", taught_already])
    assert "Tent of [e-mail]" in taught
    assert agreed[-2:] == ["Our stove goes back", taught_already]
    assert begin("Tent of ada@example.com")[0] == first  # which is nothing new

    # what a model of the client was taught already it goes on being taught: nothing is compared on it
    locked = {normalise(one.text) for one in locked_items(shop)}
    assert "our stove goes back" in locked
    assert normalise(taught_already) not in locked

    variant.store.delete(BEGUN)  # by a run that was killed
    _, taught, agreed = begin("A second tent")
    assert {"Tent of [e-mail]", "A second tent"} <= taught
    assert agreed[-2:] == ["Our stove goes back", taught_already]
    rows = variant.store.read(GOLDEN).splitlines(keepends=True)
    variant.store.write(GOLDEN, b"".join(rows[2:]))  # by hand
    _, taught, agreed = begin(golden=["A second tent"])
    assert agreed[-3:] == ["Our stove goes back", taught_already, "A second tent"]
    hidden = load(variant.store, REDACTED, Redaction)
    assert (hidden.cases, hidden.counts) == (1, {PersonalData.E_MAIL: 1})

    # a part that was mistyped is put right, but not together with an approval
    with pytest.raises(VariantError, match="expected an approval of that and not of channel=web"):
        begin(part=Part("channel", "web"), approve=True)
    other, taught, _ = begin(part=Part("channel", "web"))
    assert (other.key, other.value) == ("channel", "web")
    assert {"Tent of [e-mail]", "A second tent"} <= taught
    assert len(shop.use_cases()) == 1


def test_cases_that_wait_for_people_at_the_client_are_not_taught_elsewhere(shop):
    waits = shop.client.model_copy(update={"unreviewed": Unreviewed.WAIT})
    waits = desk_of(shop.agreement.model_copy(update={"client": waits}))
    said = {"source": Source.CUSTOMER, "was_error": True, "by": {"channel": "partner"}, "known_from": MAY}
    save_rows(shop.store, "cases/2026-W18.jsonl", [Case("p-x", "Hammock too", NEW, valid_from=MAY, **said)])
    save_rows(shop.store, "folded/2026-W18.jsonl", [])
    for desk, there in ((waits, False), (shop, True)):
        variant = open_desk(VARIANT)
        variant.store.delete(BEGUN)
        begin_model_variant(desk, variant, PART, as_of=MAY, reason="", by="ada", cases=(), golden=())
        assert ("Hammock too" in {one.text for one in load_rows(variant.store, LAUNCH_CASES, Case)}) is there


def test_what_cannot_be_one_uses_nothing_up(shop):
    variant = open_desk(VARIANT)
    for part, other, wrong in (
        (Part("shop", "a"), variant, r"found the key 'shop', expected one of review_by \['channel'\]"),
        (PART, shop, "found the client itself"),
    ):
        with pytest.raises(VariantError, match=wrong):
            model_variant(shop, other, part, MAY, reason="partners return")
    with pytest.raises(
        NotEnoughDataError,
        match=r"training \(cases not held out; there are, by channel: partner \d+, web \d+\): have 0",
    ):
        model_variant(shop, variant, Part("channel", "phone"), MAY, reason="partners return")
    examples = [Case("e-1", "My broken tent comes back to you", NEW, Source.LAUNCH)]
    with pytest.raises(NotEnoughDataError, match="not enough data for a comparison"):
        model_variant(shop, variant, Part("channel", "phone"), MAY, cases=examples, reason="partners return")
    assert (shop.use_cases(), change_orders(shop), list(variant.store.keys(""))) == ([], [], [])


def test_one_that_the_tier_does_not_include_is_a_change_order_and_trains_nothing(shop):
    raw = yaml.safe_load((configs() / "clients" / "northwind.yaml").read_text()) | {"tier": 2}
    (configs() / "clients" / "northwind.yaml").write_text(yaml.safe_dump(raw))
    order = ask_for(open_desk("northwind"))
    assert isinstance(order, ChangeOrder)
    told = f"(the model variant {VARIANT!r}): tier 'monitoring and quarterly retrain' includes no new use case"
    assert told in str(order)
    assert list(open_desk(VARIANT).store.keys("")) == []


def test_a_part_is_a_key_and_a_value(capsys):
    with pytest.raises(SystemExit):
        main(["model-variant", "northwind", "--variant", VARIANT, "--part", "partner"])
    assert "found 'partner', expected KEY=VALUE such as channel=mail" in capsys.readouterr().err
