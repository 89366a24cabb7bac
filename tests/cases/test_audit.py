"""Are people asked about the right answers, and does what they fill in come back whole?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from openpyxl import Workbook, load_workbook

from benchmarks.estimate import covers, trial
from tests.audited import FIRST, agreed, serve
from upkeep import records
from upkeep.cases.audit import AuditAnswers, DrawReason, draw, question, read_sheet, understand, write_sheet
from upkeep.cases.case import Case, Source
from upkeep.config import Audit, Client
from upkeep.desk import LAUNCH_CASES
from upkeep.errors import SheetError
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.monitoring.figures import Basis
from upkeep.recipes import Task
from upkeep.stages.asking import answers_to_choose
from upkeep.stages.auditing import draw_audit, return_audit, sheet_key
from upkeep.stages.collection import collect_cases
from upkeep.stages.monitoring import review_week
from upkeep.stages.returning import return_file, take_returns
from upkeep.statistics.rates import Rate
from upkeep.store import write_jsonl

NOW = FIRST + timedelta(weeks=1, hours=3)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    return agreed(tmp_path, monkeypatch, audit={"random": 8, "unsure": 3})


def prediction(number: int, text: str = "Where is it?", *, confidence: float = 0.9) -> Prediction:
    return Prediction(
        f"00{number}", FIRST + timedelta(minutes=number), text, "order_status", confidence, "1", True, None, {}
    )


def fill(data: bytes, answers: dict[str, str], *, column: str = "right answer", tab: str | None = None) -> bytes:
    """What a person does with a sheet: answers by id, the rest left blank."""
    book = load_workbook(BytesIO(data))
    sheet = book.worksheets[0]
    head = [cell.value for cell in sheet[1]]
    for row in sheet.iter_rows(min_row=2):
        if row[0].value in answers:
            row[head.index(column)].value = answers[row[0].value]
    sheet.title = tab or sheet.title
    return saved(book)


def saved(book: Workbook) -> bytes:
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def back(data: bytes, rows: Sequence[Prediction], client: Client) -> AuditAnswers:
    """What a returned sheet says of these rows, all of them asked about by chance."""
    asked = dict.fromkeys((one.id for one in rows), DrawReason.RANDOM)
    sent, labels = map(question, rows), labels_of(client)
    return understand(read_sheet(data), asked=asked, sent=sent, labels=labels, client=client, at=NOW)


def sheet_of(rows: Sequence[Prediction], client: Client) -> bytes:
    return write_sheet(rows, week="2026-W06", labels=labels_of(client), client=client)


def labels_of(client: Client) -> list[str]:
    """What there is to choose from where no label has been agreed, taught or ruled since."""
    return [] if client.free_text else [*sorted(client.labels), client.out_of_scope_label]


def test_the_draw_is_random_with_the_least_sure_of_the_others_on_top_and_the_same_again():
    rows = [prediction(number, confidence=number / 100) for number in range(100)]
    wanted = Audit(random=20, unsure=5)
    drawn = draw(rows, wanted, seed="s")
    assert drawn == draw(rows[::-1], wanted, seed="s")
    assert sum(why is DrawReason.RANDOM for why in drawn.values()) == 20
    others = [one.id for one in rows if drawn.get(one.id) is not DrawReason.RANDOM]
    assert [one for one in drawn if drawn[one] is DrawReason.UNSURE] == others[:5]
    assert draw(rows, wanted, seed="t") != drawn
    assert len(draw(rows[:10], wanted, seed="s")) == 10


def test_what_is_known_already_is_asked_only_by_chance_and_the_oddest_edge_cases_come_last():
    rows = [prediction(number, confidence=number / 100) for number in range(100)]
    wanted = Audit(random=20, unsure=5, edge_cases=3)
    ids = [one.id for one in rows]
    known, oddest = set(ids[:50]), ids[:10] + ids[:-11:-1]
    drawn = draw(rows, wanted, seed="s", answered=known, edges=oddest)
    by_chance = [one for one in ids if drawn.get(one) is DrawReason.RANDOM]
    assert by_chance == [one for one in ids if one in draw(rows, Audit(random=20, unsure=0), seed="s")]
    rest = [one for one in ids[50:] if one not in by_chance]
    assert [one for one in drawn if drawn[one] is DrawReason.UNSURE] == rest[:5]
    assert [one for one in drawn if drawn[one] is DrawReason.EDGE_CASE] == rest[:-4:-1]
    both = draw(rows, wanted, seed="s", answered=known, edges=[*rest[:5], *oddest])  # odd and unsure: asked about once
    assert both == drawn


def test_of_the_random_sample_what_an_audit_has_answered_is_not_asked_again_and_no_other_takes_its_place():
    rows = [prediction(number, confidence=number / 100) for number in range(100)]
    wanted = Audit(random=20, unsure=5)
    every = draw(rows, wanted, seed="s")
    by_chance = [id for id, why in every.items() if why is DrawReason.RANDOM]
    known = {*by_chance[:15], *(id for id in every if id not in by_chance)}
    left = draw(rows, wanted, seed="s", audited=known, answered=known)
    assert [id for id, why in left.items() if why is DrawReason.RANDOM] == by_chance[15:]
    assert not known & left.keys()


def test_every_request_is_as_likely_to_be_drawn_however_sure_the_model_was():
    rows = [prediction(number, confidence=number / 20) for number in range(20)]
    times = dict.fromkeys((one.id for one in rows), 0)
    for seed in range(2000):
        for one in draw(rows, Audit(random=5, unsure=0), seed=str(seed)):
            times[one] += 1
    # 500 each is expected, its standard deviation is sqrt(2000 * 0.25 * 0.75) = 19.4
    assert all(abs(count - 500) < 4 * 19.4 for count in times.values())


def test_a_sheet_shows_the_request_and_not_what_would_sway_an_answer(desk):
    made = load_workbook(BytesIO(sheet_of([prediction(7, "=HYPERLINK(1)")], desk.client)))
    sheet = made.worksheets[0]
    assert [cell.value for cell in sheet[1]] == ["id", "when", "request", "right answer"]
    assert [cell.value for cell in sheet[2]] == ["007", "2026-02-02 10:07", "=HYPERLINK(1)", None]
    assert sheet["C2"].data_type == "s"
    offered = [row[0].value for row in made["choices"].iter_rows(min_col=4, max_col=4)]
    assert offered == [*sorted(desk.client.labels), "oos"]


def test_what_is_filled_in_becomes_outcomes_and_what_cannot_be_used_comes_back_with_the_reason(desk):
    rows = [prediction(number) for number in range(5)]
    sheet = sheet_of(rows, desk.client)
    filled = fill(sheet, {"000": "refund_status", "001": "Refund status", "002": "gift cards", "003": "oos"})
    asked = {"000": DrawReason.RANDOM, "001": DrawReason.RANDOM, "002": DrawReason.UNSURE, "004": DrawReason.RANDOM}
    labels, sent = labels_of(desk.client), map(question, rows)
    found = understand(read_sheet(filled), asked=asked, sent=sent, labels=labels, client=desk.client, at=NOW)
    assert [(one.prediction_id, one.answer, one.source) for one in found.outcomes] == [
        ("000", "refund_status", OutcomeSource.AUDIT),
        ("002", "gift cards", OutcomeSource.UNSURE),  # a label of its own: nothing known is like it
    ]
    assert found.blank == 1
    reasons = [(one.row, one.reason) for one in found.rejected]
    assert reasons[0][0] == 3
    assert "did you mean ['refund_status'" in reasons[0][1]
    assert reasons[1] == (5, "id: found '003', expected one of the 4 that were asked about")


def test_for_free_text_people_say_right_or_wrong(desk):
    client = desk.client.model_copy(update={"task": Task.GENERATION, "labels": ()})
    rows = [prediction(number) for number in range(3)]
    sheet = sheet_of(rows, client)
    filled = fill(sheet, {"000": "right", "001": "Wrong", "002": "perhaps"}, column="right or wrong")
    found = back(filled, rows, client)
    assert [one.correct for one in found.outcomes] == [True, False]
    assert found.rejected[0].reason == "right or wrong: found 'perhaps', expected 'right' or 'wrong'"
    other = back(fill(filled, {"000": "refund_status"}, column="answer given"), rows, client)
    assert other.rejected[0].reason == "answer given: found 'refund_status', expected 'order_status' as it was sent"
    asked_for = back(fill(sheet, {"000": "ask ada@example.org"}, column="right or wrong"), rows, client)
    assert asked_for.rejected[0].reason == "right or wrong: found 'ask [e-mail]', expected 'right' or 'wrong'"
    same = back(fill(filled, {"001": " Order_status"}), rows, client)
    assert same.rejected[0].reason == "right answer: found the given answer, expected another one beside 'wrong'"
    alone = back(fill(sheet, {"002": "Better"}), rows, client)
    assert alone.outcomes == ()
    assert alone.rejected[0].reason == "right or wrong: found nothing beside an answer, expected 'right' or 'wrong'"


def test_an_answer_counts_only_for_the_request_that_was_seen(desk):
    texts = {" p0 ": "my card", "p1": "zz refund please", "p2": "aa where is my parcel", "p3": "size?"}
    rows = [replace(prediction(0, text), id=id) for id, text in texts.items()]
    filled = fill(sheet_of(rows, desk.client), dict.fromkeys(texts, "oos"))
    book = load_workbook(BytesIO(filled))
    sheet = book.worksheets[0]
    sheet["C3"].value, sheet["C4"].value = sheet["C4"].value, sheet["C3"].value  # a column sorted on its own
    sheet.append(["p3", None, "size?", "size_advice"])
    sheet.append(["p0", None, "my card", "oos"])
    sheet.append([None, None, " "])
    found = back(saved(book), rows, desk.client)
    assert found.blank == 0  # an empty row is about nobody
    assert [(one.prediction_id, one.answer) for one in found.outcomes] == [(" p0 ", "oos")]
    assert [(one.row, one.reason.partition(" (was")[0]) for one in found.rejected] == [
        (3, "request: found that of 'p2'"),
        (4, "request: found that of 'p1'"),
        (5, "right answer: found 'oos' in row 5; 'size_advice' in row 6, expected one decision for one id"),
        (6, "right answer: found 'oos' in row 5; 'size_advice' in row 6, expected one decision for one id"),
        (7, "id: found ' p0 ' again, decided alike in row 2; that one counts"),
    ]


def test_what_a_spreadsheet_made_of_an_answer_is_no_answer(desk):
    client = desk.client.model_copy(update={"labels": ("007", "1-2", "Refund", "refund", "card"), "relabel": ()})
    cells = [7, datetime(2026, 1, 2), "#N/A", "?", "-", 1.0, "REFUND", "refund", "1-2", "a new kind"]
    rows = [prediction(number) for number in range(len(cells))]
    book = load_workbook(BytesIO(sheet_of(rows, client)))
    for number, value in enumerate(cells, start=2):
        book.worksheets[0].cell(number, 4).number_format = "General"
        book.worksheets[0].cell(number, 4).value = value
    found = back(saved(book), rows, client)
    assert [(one.prediction_id, one.answer) for one in found.outcomes] == [
        ("007", "refund"), ("008", "1-2"), ("009", "a new kind")
    ]  # fmt: skip
    assert [one.reason.partition(", expected")[0] for one in found.rejected] == [
        "right answer: found '7', did you mean ['007']?",
        "right answer: found '2026-01-02 00:00:00', which is no label and may be what a spreadsheet made of one",
        "right answer: found '#N/A'",
        "right answer: found '?'",
        "right answer: found '-', which is no label and may be what a spreadsheet made of one",
        "right answer: found '1', which is no label and may be what a spreadsheet made of one",
        "right answer: found 'REFUND', did you mean ['Refund', 'refund']?",
    ]


def test_a_returned_sheet_is_in_the_log_once_however_often_it_is_returned(desk):
    serve(desk, 0, wrong=0, audited=False)
    drawn = draw_audit(desk, FIRST + timedelta(weeks=1))
    assert (drawn.week, drawn.requests, len(drawn.asked)) == ("2026-W06", 60, 11)
    assert draw_audit(desk, FIRST + timedelta(weeks=1)) == drawn
    filled = fill(desk.store.read(sheet_key("2026-W06")), dict.fromkeys(drawn.asked, "order_status"))
    back = return_audit(desk, filled, at=NOW)
    assert (back.week, back.answered, back.blank, back.rejected) == ("2026-W06", 11, 0, ())
    assert return_audit(desk, filled, at=NOW + timedelta(hours=1)) == replace(back, again=True)
    found = review_week(desk, FIRST + timedelta(weeks=1, days=1))
    assert found.figures.basis is Basis.AUDIT
    assert found.figures.accuracy.n == 8  # those drawn by chance, not the three on top
    assert found.figures.labelled.hits == 11


def test_as_many_are_asked_about_as_agreed_also_where_rows_are_long(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, audit={"random": 30, "unsure": 3, "edge_cases": 0})
    rows = [
        replace(prediction(n, f"{n} {'long ' * 6000}"), at=FIRST + timedelta(days=n % 2, minutes=n)) for n in range(120)
    ]  # 30 KB each: of 1.8 MB a day the texts of 256 KB are kept, of about 17 rows in all
    write_predictions(desk.store, rows, name="test")
    drawn = draw_audit(desk, NOW)
    assert (drawn.requests, len(drawn.asked)) == (120, 33)
    returned = return_audit(
        desk, fill(desk.store.read(sheet_key("2026-W06")), dict.fromkeys(drawn.asked, "order_status")), at=NOW
    )
    assert (returned.answered, returned.rejected) == (33, ())
    assert review_week(desk, NOW + timedelta(hours=1)).figures.accuracy == Rate(30, 30)


def test_a_returned_sheet_says_which_right_answers_are_no_label_yet(desk):
    serve(desk, 0, wrong=0, audited=False)
    first, second, third, *_ = draw_audit(desk, FIRST + timedelta(weeks=1)).asked
    filled = fill(desk.store.read(sheet_key("2026-W06")), {first: "oos", second: "lost tent", third: "order_status"})
    assert return_audit(desk, filled, at=NOW).new == {"lost tent": 1}
    found = return_file(desk, filled, name="sheet.xlsx", by="ada", at=NOW)
    assert "\n  1 answer is a new label: 'lost tent'; " in str(found)


@pytest.mark.parametrize(("old", "new"), [("refund_status", "refund_status_eu"), ("order_status", "order_tracking")])
def test_after_a_rename_a_sheet_offers_the_new_name_as_a_batch_does_and_takes_it(tmp_path, monkeypatch, old, new):
    rule = {"old": old, "new": new, "since": "2026-02-02"}
    desk = agreed(tmp_path, monkeypatch, audit={"random": 8, "unsure": 3}, relabel=[rule])
    serve(desk, 0, wrong=0, audited=False)
    drawn = draw_audit(desk, FIRST + timedelta(weeks=1))
    sheet = desk.store.read(sheet_key(drawn.week))
    offered = [row[0].value for row in load_workbook(BytesIO(sheet))["choices"].iter_rows(min_col=4, max_col=4)]
    assert offered == answers_to_choose(desk)
    assert {old, new} <= set(offered)
    back = return_audit(desk, fill(sheet, dict.fromkeys(drawn.asked, new)), at=NOW)
    assert (back.answered, back.rejected, back.new) == (11, (), {})


def test_answers_of_a_client_whose_log_has_other_names_count_as_well(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "log.md").read_text()
    names = yaml.safe_load(page.split("```yaml")[1].split("```")[0])
    desk = agreed(tmp_path, monkeypatch, audit={"random": 8, "unsure": 3}, **names)
    rows = [
        {"ticket": {"id": f"t{n}"}, "created_at": FIRST.isoformat(), "input": "Where is it?", "output": "order_status",
         "confidence": 0.9, "model_version": "1", "handled_by": "bot"}
        for n in range(20)
    ]  # fmt: skip
    write_jsonl(desk.store, f"log/predictions/{FIRST:%Y-%m-%d}/theirs.jsonl", rows)
    drawn = draw_audit(desk, FIRST + timedelta(weeks=1))
    return_audit(desk, fill(desk.store.read(sheet_key("2026-W06")), dict.fromkeys(drawn.asked, "oos")), at=NOW)
    found = review_week(desk, FIRST + timedelta(weeks=1, days=1)).figures
    assert (found.requests, found.labelled.hits, found.accuracy.n, found.quarantined) == (20, 11, 8, {})


def test_the_sheet_leaves_out_what_an_audit_has_answered_and_the_whole_sample_counts(desk):
    serve(desk, 0, wrong=0, audited=False)
    every = draw_audit(desk, FIRST + timedelta(weeks=1)).asked
    by_chance = sorted(id for id, why in every.items() if why is DrawReason.RANDOM)
    desk.store.delete("audits/2026-W06.json")
    at = FIRST + timedelta(hours=3)
    said = [Outcome(id, at, OutcomeSource.AUDIT, "refund_status") for id in by_chance[:3]]
    said += [Outcome(by_chance[3], at, OutcomeSource.CUSTOMER, "refund_status")]
    said += [Outcome(by_chance[4], at, OutcomeSource.AUDIT, correct=False)]  # the right answer is still to be said
    write_outcomes(desk.store, said, name="theirs")
    drawn = draw_audit(desk, FIRST + timedelta(weeks=1)).asked
    assert sorted(id for id, why in drawn.items() if why is DrawReason.RANDOM) == by_chance[3:]
    right = dict.fromkeys(by_chance[3:], "order_status")
    return_audit(desk, fill(desk.store.read(sheet_key("2026-W06")), right), at=NOW)
    # the three that were wrong by their audit, and the five of the sheet
    assert review_week(desk, NOW + timedelta(hours=1)).figures.accuracy == Rate(5, 8)


def test_of_free_text_an_audit_has_answered_what_it_called_right_or_wrong(desk):
    texts = {"task": Task.GENERATION, "labels": (), "audit": Audit(random=4, unsure=0)}
    client = desk.client.model_copy(update=texts)
    desk = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    serve(desk, 0, wrong=0, n=4, audited=False)
    at = FIRST + timedelta(hours=3)
    said = [
        Outcome("0-0", at, OutcomeSource.AUDIT, correct=True),
        Outcome("0-1", at, OutcomeSource.AUDIT, correct=False),
        Outcome("0-2", at, OutcomeSource.AUDIT, "a better text"),  # which does not say that the one given was wrong
    ]
    write_outcomes(desk.store, said, name="theirs")
    assert set(draw_audit(desk, FIRST + timedelta(weeks=1)).asked) == {"0-2", "0-3"}


def test_an_edge_case_of_the_week_that_nobody_has_answered_is_asked_about_and_only_teaches(desk):
    cases = [Case(str(n), f"Where is order 4711{n:03}, ask ada", "order_status", Source.LAUNCH) for n in range(40)]
    records.save_rows(desk.store, LAUNCH_CASES, cases)
    serve(desk, 0, wrong=0, audited=False)
    at = FIRST + timedelta(hours=3)
    odd = [
        Prediction(f"odd-{n}", at, text, "order_status", 0.99, "1", True, None, {})
        for n, text in enumerate(["Kann ich mein Zelt morgen umtauschen", "mon sac est arrivé hier cassé"])
    ]
    write_predictions(desk.store, odd, name="odd")
    write_outcomes(desk.store, [Outcome("odd-0", at, OutcomeSource.CUSTOMER, "refund_status")], name="odd")
    few = desk.client.model_copy(update={"audit": Audit(random=0, unsure=0)})
    desk = replace(desk, agreement=desk.agreement.model_copy(update={"client": few}))
    drawn = draw_audit(desk, FIRST + timedelta(weeks=1))
    assert drawn.asked["odd-1"] is DrawReason.EDGE_CASE
    assert "odd-0" not in drawn.asked
    filled = fill(desk.store.read(sheet_key("2026-W06")), {"odd-1": "warranty_claim"})
    return_audit(desk, filled, at=NOW)
    monday = NOW + timedelta(hours=1)
    found = review_week(desk, monday)
    assert found.figures.basis is not Basis.AUDIT
    collect_cases(desk, found.week, monday)
    (case,) = [one for one in desk.cases() if one.prediction_id == "odd-1"]
    assert (case.answer, case.was_error, case.source) == ("warranty_claim", True, Source.UNSURE)


def test_two_halves_of_a_sheet_come_back_on_one_day_and_both_count(desk):
    serve(desk, 0, wrong=0, audited=False)
    drawn = draw_audit(desk, FIRST + timedelta(weeks=1))
    sheet = desk.store.read(sheet_key("2026-W06"))
    ids = sorted(drawn.asked)
    for half in (ids[:5], ids[5:]):
        return_audit(desk, fill(sheet, dict.fromkeys(half, "order_status")), at=NOW)
    assert review_week(desk, FIRST + timedelta(weeks=1, days=1)).figures.labelled.hits == 11


def test_of_a_workbook_with_notes_and_an_untouched_copy_the_tab_that_is_filled_in_counts(desk):
    rows = [prediction(number) for number in range(2)]
    book = load_workbook(BytesIO(sheet_of(rows, desk.client)))
    book.copy_worksheet(book.worksheets[0]).title = "before I began"
    filled = load_workbook(BytesIO(fill(saved(book), {"000": "oos"})))
    filled.create_sheet("notes", 0).append(["ask Ada"])
    found = back(saved(filled), rows, desk.client)
    assert [(one.prediction_id, one.answer) for one in found.outcomes] == [("000", "oos")]
    assert read_sheet(saved(filled)).week == "2026-W06"


def test_a_workbook_in_which_several_sheets_are_filled_in_is_refused_and_stays_in_the_inbox(desk):
    serve(desk, 0, wrong=0, audited=False)
    first, second, *_ = draw_audit(desk, FIRST + timedelta(weeks=1)).asked
    book = load_workbook(BytesIO(fill(desk.store.read(sheet_key("2026-W06")), {first: "oos"})))
    book.copy_worksheet(book.worksheets[0]).title = "bob"
    for row in book["bob"].iter_rows(min_row=2):
        row[3].value = "oos" if row[0].value == second else None
    wanted = r"tabs \['2026-W06', 'bob'\] are filled in, expected one: .* save each as a file of its own"
    with pytest.raises(SheetError, match=wanted):
        return_audit(desk, saved(book), at=NOW)
    desk.store.write("inbox/two.xlsx", saved(book))
    (told,) = take_returns(desk, NOW)
    assert "tabs ['2026-W06', 'bob'] are filled in" in told.problem
    assert list(desk.store.keys("inbox/")) == ["inbox/two.xlsx"]


def test_an_audit_sheet_beside_a_batch_in_a_workbook_is_not_passed_over(desk):
    serve(desk, 0, wrong=0, audited=False)
    first, *_ = draw_audit(desk, FIRST + timedelta(weeks=1)).asked
    book = load_workbook(BytesIO(fill(desk.store.read(sheet_key("2026-W06")), {first: "oos"})))
    book.create_sheet("batch").append(["id", "request", "decision"])
    with pytest.raises(SheetError, match=r"tabs \['2026-W06'\] of an audit beside a batch, expected each in a file"):
        return_file(desk, saved(book), name="both.xlsx", by="ada", at=NOW)


def test_a_file_that_is_no_sheet_of_ours_is_refused_and_nothing_is_written(desk):
    serve(desk, 0, wrong=0, audited=False)
    drawn = draw_audit(desk, FIRST + timedelta(weeks=1))
    other_week = fill(desk.store.read(sheet_key("2026-W06")), dict.fromkeys(drawn.asked, "oos"), tab="Sheet1")
    before = sorted(desk.store.keys(""))
    with pytest.raises(SheetError, match=r"tab 'Sheet1' is of no sheet sent out, those are \['2026-W06.xlsx'\]"):
        return_audit(desk, other_week, at=NOW)
    with pytest.raises(SheetError, match="not an Excel workbook"):
        return_audit(desk, b"id,right answer\n1,oos\n", at=NOW)
    assert sorted(desk.store.keys("")) == before


def test_a_sheet_that_is_out_counts_but_for_the_person_who_was_erased_from_the_log_and_the_store(desk):
    rows = [prediction(number, f"Where is order {number}?") for number in range(3)]
    key = f"log/predictions/{FIRST:%Y-%m-%d}/test.jsonl"
    write_predictions(desk.store, rows, name="test")
    sheet = desk.store.read(sheet_key(draw_audit(desk, FIRST + timedelta(weeks=1)).week))
    lines = desk.store.read(key).splitlines(keepends=True)
    desk.store.write(key, b"".join(line for line in lines if b"order 1?" not in line))
    desk.store.delete(sheet_key("2026-W06"))
    found = return_audit(desk, fill(sheet, dict.fromkeys(("000", "001", "002"), "order_status")), at=NOW)
    assert (found.answered, len(found.rejected)) == (2, 1)


def test_a_week_without_requests_asks_nobody(desk):
    serve(desk, 0, wrong=0)
    assert draw_audit(desk, FIRST + timedelta(weeks=2)).asked == {}
    assert sheet_key("2026-W07") not in list(desk.store.keys("audits/"))


def test_accuracy_from_a_biased_log_is_within_its_interval_of_the_truth(desk):
    found = [trial(desk.client, seed) for seed in range(200)]
    assert sum(covers(one.estimate, one.truth) for one in found) >= 0.93 * 200
    assert sum(covers(one.naive, one.truth) for one in found) < 0.5 * 200  # what came back by itself is mostly errors
