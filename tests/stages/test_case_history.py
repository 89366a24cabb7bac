"""Is a person told which answers a case had, each from when until when, and what took their place?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tests.audited import agreed
from tests.texts import case, text
from upkeep import records
from upkeep.__main__ import main
from upkeep.cases.case import Source
from upkeep.cases.doubts import Doubt
from upkeep.cases.review_batch import Choice, ReviewDecision


def test_data_tells_the_history_of_a_case_and_refuses_one_that_is_not_there(tmp_path, monkeypatch, capsys):
    rule = {"old": "order_status", "new": "refund_status", "since": "2026-02-01"}
    desk = agreed(tmp_path, monkeypatch, relabel=[rule])
    january, march = (datetime(2026, month, 1, 8, tzinfo=UTC) for month in (1, 3))
    asked = case(1, "order_status", at=january)
    said = [
        replace(case(2, "other", at=march, text_of=asked.text), source=Source.CUSTOMER),
        replace(case(3, "gift_card", at=march, text_of=asked.text), source=Source.CUSTOMER),
        replace(case(4, "gift_card", at=march, text_of=asked.text), doubts=(Doubt.LANGUAGE,)),
    ]
    records.save_rows(desk.store, "cases/2026-W10.jsonl", [asked, *said])
    read = [
        ReviewDecision("2", Choice.ACCEPT, "other", "ada", march, ""),
        ReviewDecision("1", Choice.ACCEPT, "order_status", "ada", march, ""),
    ]
    records.save_rows(desk.store, "reviewed/20260302T000000Z-x.jsonl", read)
    assert main(["data", "northwind", "--case", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "1: 'order_status', right from 2026-01-01 09:00, until 2026-02-01 00:00, superseded by 1@2026-02-01, "
        "said by audit, reviewed by ada",
        "1@2026-02-01: 'refund_status', right from 2026-02-01 00:00, until 2026-03-01 09:00, superseded by 2, "
        "said by audit, reviewed by ada",
        "2: 'other', right from 2026-03-01 09:00, said by customer, reviewed by ada",
        "4: 'gift_card', right from 2026-03-01 09:00, said by audit: unread and doubtful: another language",
        "3: 'gift_card', right from 2026-03-01 09:00, said by customer: against a reviewed answer, until people decide",
    ]
    assert main(["data", "northwind", "--case", "5"]) == 1
    assert "no case '5', expected the id of one of the 4 known by " in capsys.readouterr().err


def test_an_answer_that_waits_as_a_review_of_nearly_its_text_contradicts_it_is_told_so(tmp_path, monkeypatch, capsys):
    desk = agreed(tmp_path, monkeypatch, relabel=[])
    january, march = (datetime(2026, month, 1, 8, tzinfo=UTC) for month in (1, 3))
    near = case(2, "other", at=march, text_of=f"{text(1)}?", like="1", against="1")
    records.save_rows(desk.store, "cases/2026-W10.jsonl", [case(1, at=january), replace(near, source=Source.CUSTOMER)])
    read = [ReviewDecision("1", Choice.ACCEPT, "a", "ada", march, "")]
    records.save_rows(desk.store, "reviewed/20260302T000000Z-x.jsonl", read)
    assert main(["data", "northwind", "--case", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "2: 'other', right from 2026-03-01 09:00, said by customer: against a reviewed answer, until people decide",
    ]
