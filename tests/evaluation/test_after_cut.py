"""What is told of recent requests from after the champion's training cut?"""

from __future__ import annotations

from datetime import UTC, datetime

from upkeep.evaluation.after_cut import AfterCut, after_cut
from upkeep.evaluation.verdict import ItemResult, VerdictTerms, verdict

CUT = datetime(2026, 3, 31, 6, tzinfo=UTC)
# of ten recent items 6 to 9 are late; both are right on the early ones, and the challenger on all late ones but one
RECENT = [ItemResult("recent", f"text {n}", n < 7, n != 9, id=str(n), after_cut=n > 5) for n in range(10)]
OTHERS = [ItemResult(name, f"text {n}", True, False, id=f"g{n}") for name in ("golden", "errors") for n in range(10)]
GOLDEN = [ItemResult("golden", f"agreed {n}", True, True, id=f"g{n}") for n in range(300)]
TERMS = VerdictTerms(margin=0.03, minimum_items=300, same_weights=False, reload_exact=True)


def test_only_recent_items_first_asked_after_the_cut_are_compared_on():
    found = after_cut([*RECENT, *OTHERS], cut=CUT, margin=0.03)
    assert (found.compared.champion.hits, found.compared.challenger.hits, found.compared.champion.n) == (1, 3, 4)
    assert (found.compared.fixed, found.compared.introduced, found.recent) == (2, 0, 10)
    told = str(found)
    assert told.startswith("recent, after the champion's training cut 2026-03-31: challenger 75.0%, champion 25.0%, ")
    # 0.97 ** 98 is above 5 %, 0.97 ** 99 below
    assert told.endswith(", n=4 of 10; fewer than the 99 that could rule out the agreed loss")


def test_enough_of_them_are_not_called_few_and_without_an_agreed_loss_none_are():
    assert after_cut(RECENT, cut=CUT, margin=0.6).fewest == 4
    assert str(after_cut(RECENT, cut=CUT, margin=0.6)).endswith(", n=4 of 10")
    assert str(after_cut(RECENT, cut=CUT, margin=0)).endswith(", n=4 of 10")


def test_it_is_said_where_there_are_none_or_the_cut_is_not_known():
    early = [one._replace(after_cut=False) for one in (*RECENT, *OTHERS)]
    none = after_cut(early, cut=CUT, margin=0.03)
    assert none == AfterCut(CUT, 10, None, 99)
    assert str(none) == "recent items after the champion's training cut, 2026-03-31: none of 10"
    unknown = after_cut(early, cut=None, margin=0.03)
    assert unknown == AfterCut(None, 10, None, 99)
    assert "not on record" in str(unknown)


def test_the_verdict_rests_on_all_recent_items_so_that_what_was_lost_of_the_time_before_counts():
    # 100 of 300 are late: there the challenger is clearly better, on the others clearly worse
    early = [ItemResult("recent", f"text {n}", True, n >= 40, id=str(n)) for n in range(200)]
    late = [ItemResult("recent", f"text {n}", n >= 220, True, id=str(n), after_cut=True) for n in range(200, 300)]
    assert verdict([*GOLDEN, *late], TERMS).judgement.verdict == "promote"
    assert verdict([*GOLDEN, *early, *late], TERMS).judgement.verdict != "promote"
    assert after_cut([*early, *late], cut=CUT, margin=0.03).compared.difference == 0.2


def test_what_was_gained_before_the_cut_excuses_no_loss_after_it():
    early = [ItemResult("recent", f"text {n}", n >= 60, True, id=str(n)) for n in range(200)]
    late = [ItemResult("recent", f"text {n}", True, n >= 210, id=str(n), after_cut=True) for n in range(200, 300)]
    found = verdict([*GOLDEN, *early, *late], TERMS).judgement
    assert found.verdict == "hold"
    assert found.reasons[0].startswith("perhaps worse on recent, after the champion's training cut: challenger 90.0%")
    # as a record from before this was asked has it
    unmarked = [one._replace(after_cut=False) for one in late]
    assert verdict([*GOLDEN, *early, *unmarked], TERMS).judgement.verdict == "promote"


def test_where_all_recent_items_are_from_after_the_cut_they_are_one_set_and_judged_once():
    late = [ItemResult("recent", f"text {n}", True, n >= 10, id=str(n), after_cut=True) for n in range(300)]
    unmarked = [one._replace(after_cut=False) for one in late]
    found = verdict([*GOLDEN, *late], TERMS)
    assert found == verdict([*GOLDEN, *unmarked], TERMS)
    assert found.judgement.verdict == "reject"


def test_as_many_items_after_the_cut_as_a_verdict_needs_have_to_rule_the_loss_out_alone():
    early = [ItemResult("recent", f"text {n}", n >= 60, True, id=str(n)) for n in range(600)]
    late = [  # 16 fixed, 16 broken
        ItemResult("recent", f"text {n}", n >= 616, not 616 <= n < 632, id=str(n), after_cut=True)
        for n in range(600, 900)
    ]
    assert verdict([*GOLDEN, *early, *late[:-1]], TERMS).judgement.verdict == "promote"
    found = verdict([*GOLDEN, *early, *late], TERMS).judgement
    assert found.verdict == "hold"
    cut = "recent, after the champion's training cut"
    assert found.reasons[0].startswith(f"a loss of 3.0 pp cannot be ruled out on {cut}: challenger 94.7%")


def test_a_sign_of_a_loss_on_what_the_model_before_the_champion_got_wrong_holds():
    better = [ItemResult("recent", f"text {n}", n >= 60, True, id=str(n)) for n in range(300)]
    inherited = [ItemResult("inherited", f"error {n}", n < 20, n < 12, id=f"e{n}") for n in range(30)]
    found = verdict([*GOLDEN, *better, *inherited], TERMS).judgement
    assert found.verdict == "hold"
    assert found.reasons[0].startswith("perhaps worse on inherited: challenger 40.0%, champion 66.7%")
    even = [one._replace(challenger=10 <= int(one.id[1:]) < 30) for one in inherited]
    assert verdict([*GOLDEN, *better, *even], TERMS).judgement.verdict == "promote"
