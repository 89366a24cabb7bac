"""What is asked, what comes back, and what a retrain makes of it."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.released import decide as decided
from tests.small_client import configure
from tests.texts import case, text
from upkeep import records
from upkeep.adapters.store import FolderStore
from upkeep.cases.case import Case, Source
from upkeep.cases.collection import Fold
from upkeep.cases.doubts import Doubt
from upkeep.cases.relabel_rules import Found
from upkeep.cases.review_batch import Format, write_csv
from upkeep.config import Relabel, Unreviewed
from upkeep.desk import GOLDEN, Desk, open_desk
from upkeep.entitlement import Claim
from upkeep.errors import PersonError, SheetError
from upkeep.log.entries import Prediction
from upkeep.log.files import write_predictions
from upkeep.recipes import Task
from upkeep.stages.asking import Batch, asked, offer_cases, to_look_over
from upkeep.stages.auditing import draw_audit, return_audit, sheet_key
from upkeep.stages.returning import return_file, take_returns
from upkeep.stages.rules import decide_rule
from upkeep.stages.snapshot import decided_by, rebuild, take_snapshot
from upkeep.stages.waiting import no_longer_waiting, wait_for_review

MONDAY = datetime(2026, 5, 4, 6, tzinfo=UTC)
TUESDAY, WEEK = MONDAY + timedelta(days=1), timedelta(weeks=1)
PERIOD = "2026-W18"


def complaint(number: int, **more):
    """A case that a customer complained about."""
    found = case(number, "refund_request", at=MONDAY, was_error=True, given="order_status", **more)
    return replace(found, source=Source.CUSTOMER)


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    return collected(tmp_path, monkeypatch)


def collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A client with a week's cases, of which nobody has been asked about any."""
    configure(tmp_path / "configs", monkeypatch, tier=3, unreviewed="wait")
    desk = open_desk("northwind")
    audited = case(5, "order_status", at=MONDAY, was_error=True)
    cases = [complaint(1), complaint(2), audited, case(4, at=MONDAY), case(6, at=MONDAY, doubts=(Doubt.LANGUAGE,))]
    records.save_rows(desk.store, f"cases/{PERIOD}.jsonl", cases)
    records.save_rows(desk.store, f"folded/{PERIOD}.jsonl", [Fold("2", 7, 7, MONDAY)])
    records.save_rows(desk.store, GOLDEN, [])
    return desk


def filled(desk: Desk, period: str = PERIOD, **decisions: tuple[str, str]) -> bytes:
    """A batch's CSV file with decision and answer by number of the case."""
    rows = list(csv.DictReader(StringIO(desk.store.read(f"to-review/{period}.csv").decode("utf-8-sig"))))
    for row in rows:
        row["decision"], row["answer"] = decisions.get(f"n{row['id'].lstrip(chr(39))}", ("", ""))
    made = StringIO()
    writer = csv.DictWriter(made, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return made.getvalue().encode()


def test_people_are_asked_about_complaints_and_doubts_but_not_about_what_an_auditor_said(desk):
    batch = offer_cases(desk, PERIOD, MONDAY)
    assert {one.id: one.why for one in asked(desk).values()} == {
        "6": ("another language",),
        "2": ("answered wrong",),
        "1": ("answered wrong",),
    }
    assert set(batch.files) == set(Format)
    assert all(desk.store.exists(key) for key in batch.files.values())
    assert batch.page is None  # no MLflow server
    assert offer_cases(desk, PERIOD, TUESDAY) == batch


def test_of_too_many_the_doubtful_and_then_the_most_frequent_are_asked_about(desk):
    client = desk.client.model_copy(update={"asked_at_most": 2})
    few = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    batch = offer_cases(few, PERIOD, MONDAY)
    assert (batch.questions, batch.beyond) == (2, 1)
    assert list(asked(few)) == ["6", "2"]
    assert to_look_over(few, batch, MONDAY)[0].startswith("2 cases to look over (1 more beyond asked_at_most): ")


def test_what_was_too_many_to_ask_about_is_asked_about_by_a_later_week_that_has_room_for_it(desk):
    client = desk.client.model_copy(update={"asked_at_most": 3})
    few = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    collected = {
        PERIOD: [complaint(number) for number in (2, 30, 31, 32, 33, 34, 35)],
        "2026-05": [],  # a retrain's, which may be waited for
        "2026-W19": [complaint(40), complaint(41)],
        "2026-W20": [],
        "2026-W31": [],
    }
    for period, cases in collected.items():
        records.save_rows(desk.store, f"cases/{period}.jsonl", cases)
        records.save_rows(desk.store, f"folded/{period}.jsonl", [])
    offered = {
        period: offer_cases(few, period, MONDAY + timedelta(days=days))
        for period, days in ((PERIOD, 0), ("2026-05", 1), ("2026-W19", 7))
    }
    assert [(one.questions, one.beyond) for one in offered.values()] == [(3, 4), (0, 0), (3, 0)]
    assert list(asked(few)) == ["2", "30", "31", "40", "41", "32"]
    assert offer_cases(few, "2026-W31", MONDAY + timedelta(days=93)).questions == 0
    assert offer_cases(few, "2026-W20", MONDAY + timedelta(days=92)).questions == 3
    assert list(asked(few))[6:] == ["33", "34", "35"]
    desk.store.delete("batches/2026-W20.json")  # as by a run that died in between
    assert offer_cases(few, "2026-W20", MONDAY + timedelta(days=92)).questions == 3


@pytest.mark.parametrize("unreviewed", [Unreviewed.SKIP, Unreviewed.WAIT])
def test_what_was_too_many_to_ask_about_is_neither_taught_nor_waited_for_and_older_snapshots_rebuild(desk, unreviewed):
    client = desk.client.model_copy(update={"asked_at_most": 2, "unreviewed": unreviewed})
    few = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    more = [complaint(number) for number in range(30, 36)]
    cases = [*records.load_rows(desk.store, f"cases/{PERIOD}.jsonl", Case), *more]
    records.save_rows(desk.store, f"cases/{PERIOD}.jsonl", cases)
    assert offer_cases(few, PERIOD, MONDAY).beyond == 7
    return_file(few, filled(few, n2=("accept", ""), n6=("accept", "")), name="mine.csv", by="ada", at=TUESDAY)
    assert wait_for_review(few, "2026-05", TUESDAY, "scheduled") is None
    taken, beyond = take_snapshot(few, "2026-05", TUESDAY), {"1", *(one.id for one in more)}
    assert not beyond & {one.case.id for one in taken.lessons}
    assert taken.left_out["never asked about"] == 7
    assert rebuild(few, "2026-05") == desk.store.read("snapshots/2026-05.jsonl")
    client = client.model_copy(update={"unreviewed": Unreviewed.USE_OUTCOMES})
    used = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    assert beyond & {one.case.id for one in take_snapshot(used, "2026-06", TUESDAY).lessons}
    # all that was asked is answered, so that one of before had the same lessons, and another term to tell them by
    desk.store.write("snapshots/2026-05.jsonl", rows := desk.store.read("snapshots/2026-06.jsonl"))
    record = desk.store.read("snapshots/2026-05.json")
    desk.store.write("snapshots/2026-05.json", record.replace(b',\n  "unasked_wait": true', b""))
    assert rebuild(few, "2026-05") == rows


def test_what_comes_back_counts_in_the_next_snapshot_and_bad_rows_say_why(desk):
    offer_cases(desk, PERIOD, MONDAY)
    data = filled(desk, n1=("reject", ""), n2=("change", "order_statis"), n6=("accept", ""))
    back = return_file(desk, data, name="mine.csv", by="ada", at=TUESDAY)
    assert (back.decided, back.blank, [one.row for one in back.rejected]) == (2, 0, [3])
    assert "did you mean" in back.rejected[0].reason
    again = return_file(desk, data, name="again.csv", by="bob", at=TUESDAY + timedelta(days=1))
    assert str(again).splitlines() == [
        "again.csv: this very file was taken in on 2026-05-05 08:00 already (2 answers); nothing changed",
        f"  row 3 not used: {back.rejected[0].reason}",
    ]
    assert {one.id: (str(one.decision), one.by) for one in decided_by(desk, TUESDAY).values()} == {
        "1": ("reject", "ada"),
        "6": ("accept", "ada"),
    }
    assert decided_by(desk, MONDAY) == {}
    taken = take_snapshot(desk, "2026-05", TUESDAY)
    assert taken.rejected == ("1",)
    assert taken.left_out.get("not yet reviewed") == 1


def test_what_a_rule_ended_is_taught_again_by_the_retrain_after_it_was_refused(desk):
    rule = Found(Relabel(old="refund_request", new="order_status", since=date(2026, 5, 5)), PERIOD, MONDAY, "2 of 2")
    records.save(desk.store, f"rules/{rule.id}.json", rule)
    answers = [case(number, "refund_request", at=MONDAY) for number in range(20, 26)]
    records.save_rows(desk.store, "cases/2026-W19.jsonl", answers)
    superseded = []
    for week, accepted in enumerate([True, False, True]):
        decide_rule(desk, rule.id, accepted=accepted, by="ada", at=TUESDAY + week * WEEK)
        superseded.append(take_snapshot(desk, f"2026-0{5 + week}", TUESDAY + week * WEEK).superseded)
    assert superseded[0] > 0
    assert superseded == [superseded[0], 0, superseded[0]]


def test_a_file_that_is_dropped_into_the_inbox_is_taken_in_and_one_that_is_none_stays_there(desk):
    offer_cases(desk, PERIOD, MONDAY)
    assert take_returns(desk, MONDAY) == []
    inbox = Path(desk.store.uri, "inbox")  # is there by now, and people need not make it
    inbox.joinpath("ada.csv").write_bytes(filled(desk, n1=("accept", "")))
    inbox.joinpath("holiday.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    first, second = take_returns(desk, TUESDAY)
    assert (first.name, first.decided, first.problem) == ("ada.csv", 1, None)
    assert second.name == "holiday.jpg"
    assert "expected" in second.problem
    assert list(desk.store.keys("inbox/")) == ["inbox/holiday.jpg"]
    assert decided_by(desk, TUESDAY)["1"].by == "inbox/ada.csv"
    assert [one.name for one in take_returns(desk, TUESDAY)] == ["holiday.jpg"]


def test_a_file_that_is_named_a_workbook_and_is_none_says_so(desk):
    offer_cases(desk, PERIOD, MONDAY)
    desk.store.write("inbox/notes.XLSX", b"not a sheet")
    desk.store.write("inbox/rows.xlsx", filled(desk, n1=("accept", "")))  # whatever it is called, it can be read
    notes, rows = take_returns(desk, TUESDAY)
    assert str(rows) == "rows.xlsx: 1 answer taken in, 2 rows left blank"
    assert notes.problem.startswith("no Excel workbook, and as a CSV file: found ['not a sheet'] first, expected ")
    assert (rows.decided, rows.problem) == (1, None)


@pytest.mark.parametrize(
    ("name", "called", "copied"),
    [
        (b"Pr\xfcfung.csv", "Pr fung.csv", "Pr_fung.csv"),
        (b"a" * 251 + b".csv", "a" * 251 + ".csv", "a" * 36 + ".csv"),
        ("Prüfung 1/b.csv".encode(), "Prüfung 1/b.csv", "Prüfung_1_b.csv"),
    ],
    ids=["Latin-1", "long", "in a folder"],
)
def test_a_file_in_the_inbox_counts_whatever_its_name_is(desk, name, called, copied):
    offer_cases(desk, PERIOD, MONDAY)
    path = Path(desk.store.uri, "inbox", os.fsdecode(name))
    path.parent.mkdir(parents=True)
    path.write_bytes(filled(desk, n1=("accept", "")))
    (found,) = take_returns(desk, TUESDAY)
    assert (found.name, found.decided, found.problem) == (called, 1, None)
    assert decided_by(desk, TUESDAY)["1"].by == f"inbox/{called}"
    assert [key for key in desk.store.keys("returned/") if key.endswith(f"-{copied}")]
    assert take_returns(desk, TUESDAY) == []


def test_a_file_in_the_inbox_that_cannot_be_read_is_told_and_holds_up_no_other(desk):
    offer_cases(desk, PERIOD, MONDAY)
    desk.store.write("inbox/b.csv", filled(desk, n1=("accept", "")))
    inbox = Path(desk.store.uri, "inbox")
    for link, target in ((b"a\xfc", b"a\xfc"), (b"c", b"gone.csv")):
        (inbox / os.fsdecode(link)).symlink_to(os.fsdecode(target))
    first, second, third = take_returns(desk, TUESDAY)
    assert (first.name, second.decided, third.name) == ("a ", 1, "c")
    assert "Too many levels of symbolic links" in first.problem
    assert first.problem.isprintable()
    assert third.problem.startswith("cannot be read: ")


@dataclass(frozen=True)
class SavedAgain(FolderStore):
    """A store in which a reviewer saves a file once more, or takes it away, while the first one is taken in."""

    newer: bytes | None = None

    def write(self, key: str, data: bytes) -> None:
        super().write(key, data)
        if key.startswith("returned/") and key.endswith("-ada.csv"):
            self.delete("inbox/ada.csv") if self.newer is None else super().write("inbox/ada.csv", self.newer)


def test_a_run_for_a_time_without_a_zone_takes_it_for_the_clients(desk):
    offer_cases(desk, PERIOD, MONDAY)  # 8 o'clock in Berlin
    desk.store.write("inbox/ada.csv", filled(desk, n1=("accept", "")))
    assert take_returns(desk, datetime(2026, 5, 4, 7, 59)) == []
    at = datetime(2026, 5, 4, 8, 1)
    assert [one.decided for one in take_returns(desk, at)] == [1]
    assert decided_by(desk, desk.local(at)).keys() == {"1"}  # the run that took it in counts it


def test_only_the_newest_batch_of_each_kind_is_read_to_tell_whether_people_can_have_answered(desk):
    sent = {"2026-W09": MONDAY - 9 * WEEK, "2026-Q1": MONDAY - 8 * WEEK, "2026-03": MONDAY - 9 * WEEK}
    sent |= {"2026-Q1-variant-rental": MONDAY - 9 * WEEK, "2026-Q1-variant-rental.2": TUESDAY, "2026-Q2": MONDAY}
    for period, moment in sent.items():
        records.save(desk.store, f"batches/{period}.json", Batch(period, moment, 0, {}))
    desk.store.write("batches/2026-W08.json", b"never read")
    desk.store.write("inbox/x.csv", b"no batch")
    assert take_returns(desk, TUESDAY - timedelta(hours=1)) == []  # asked about the category's second round since
    assert [one.name for one in take_returns(desk, TUESDAY)] == ["x.csv"]


def test_a_file_that_is_saved_again_while_it_is_taken_in_is_the_next_runs(desk):
    offer_cases(desk, PERIOD, MONDAY)
    desk.store.write("inbox/ada.csv", filled(desk, n1=("accept", "")))
    newer = filled(desk, n1=("reject", ""), n2=("accept", ""))
    first = take_returns(replace(desk, store=SavedAgain(desk.store.folder, newer)), TUESDAY)
    assert [(one.name, one.decided) for one in first] == [("ada.csv", 1)]
    assert desk.store.read("inbox/ada.csv") == newer
    assert [one.decided for one in take_returns(desk, TUESDAY + WEEK)] == [2]
    assert {one.id: str(one.decision) for one in decided_by(desk, TUESDAY + WEEK).values()} == {
        "1": "reject",
        "2": "accept",
    }
    assert list(desk.store.keys("inbox/")) == []


def test_a_file_of_a_run_that_was_killed_came_back_then_and_not_after_what_was_corrected_since(desk):
    offer_cases(desk, PERIOD, MONDAY)
    desk.store.write("inbox/ada.csv", filled(desk, n1=("reject", "")))
    take_returns(desk, TUESDAY)
    # as it was between the decisions and the record of the file
    desk.store.write("inbox/ada.csv", filled(desk, n1=("reject", "")))
    for key in desk.store.keys("returned/"):
        desk.store.delete(key)
    return_file(desk, filled(desk, n1=("accept", "")), name="corrected.csv", by="ada", at=TUESDAY + timedelta(days=1))
    (again,) = take_returns(desk, TUESDAY + WEEK)
    assert (again.name, again.decided) == ("ada.csv", 1)
    assert len(list(desk.store.keys("reviewed/"))) == 2
    assert str(decided_by(desk, TUESDAY + WEEK)["1"].decision) == "accept"


def test_a_file_that_is_taken_away_while_it_is_taken_in_counts(desk):
    offer_cases(desk, PERIOD, MONDAY)
    desk.store.write("inbox/ada.csv", filled(desk, n1=("accept", "")))
    (found,) = take_returns(replace(desk, store=SavedAgain(desk.store.folder)), TUESDAY)
    assert found.decided == 1


def test_what_a_person_writes_instead_is_kept_without_personal_data(desk):
    writes = desk.client.model_copy(update={"task": Task.GENERATION})
    desk = replace(desk, agreement=desk.agreement.model_copy(update={"client": writes}))
    offer_cases(desk, PERIOD, MONDAY)
    data = filled(desk, n1=("change", "Ask ada@example.com"), n2=("accept", ""))
    return_file(desk, data, name="ada.csv", by="ada", at=TUESDAY)
    said = decided_by(desk, TUESDAY)
    assert (said["1"].answer, said["2"].answer) == ("Ask [e-mail]", "refund_request")


def test_a_new_label_that_a_person_writes_is_kept_without_personal_data(desk):
    offer_cases(desk, PERIOD, MONDAY)
    data = filled(desk, n1=("change", "jane.doe@example.com wants refund"), n2=("change", "delivery_delay"))
    return_file(desk, data, name="ada.csv", by="ada", at=TUESDAY)
    said = decided_by(desk, TUESDAY)
    assert (said["1"].answer, said["2"].answer) == ("[e-mail] wants refund", "delivery_delay")


def test_an_audit_sheet_may_be_dropped_there_too(desk):
    rows = [Prediction("1", MONDAY - timedelta(days=3), text(1), "order_status", 0.9, "1", True, None, {})]
    write_predictions(desk.store, rows, name="test")
    drawn = draw_audit(desk, MONDAY)
    desk.store.write("inbox/audit.xlsx", desk.store.read(sheet_key(drawn.week)))
    (found,) = take_returns(desk, TUESDAY)
    assert (found.decided, found.blank, found.problem, found.again) == (0, 1, None, False)
    assert text(1).encode() in copied(desk, "-audit.csv")
    desk.store.write("inbox/audit again.xlsx", desk.store.read(sheet_key(drawn.week)))
    (again,) = take_returns(desk, TUESDAY + WEEK)
    assert (again.name, again.again, again.at) == ("audit again.xlsx", True, found.at)


def test_a_sheet_that_was_taken_in_by_itself_was_taken_in_before_it_lay_in_the_inbox(desk):
    rows = [Prediction("1", MONDAY - timedelta(days=3), text(1), "order_status", 0.9, "1", True, None, {})]
    write_predictions(desk.store, rows, name="test")
    sheet = desk.store.read(sheet_key(draw_audit(desk, MONDAY).week))
    return_audit(desk, sheet, at=TUESDAY)
    desk.store.write("inbox/audit.xlsx", sheet)
    (again,) = take_returns(desk, TUESDAY + WEEK)
    assert (again.again, again.at) == (True, desk.local(TUESDAY))


def test_what_was_written_down_of_a_file_before_it_was_said_to_come_again_can_still_be_read(desk):
    offer_cases(desk, PERIOD, MONDAY)
    data = filled(desk, n1=("reject", ""))
    return_file(desk, data, name="mine.csv", by="ada", at=TUESDAY)
    (key,) = desk.store.keys("returned/")
    old = json.loads(desk.store.read(key))
    del old["again"]
    desk.store.write(key, json.dumps(old).encode())
    assert return_file(desk, data, name="mine.csv", by="ada", at=TUESDAY).again


def copied(desk: Desk, name: str) -> bytes:
    """The copy of a file that lay in the inbox."""
    (key,) = (key for key in desk.store.keys("returned/") if key.endswith(name))
    return desk.store.read(key)


def test_nothing_that_comes_back_is_kept_with_personal_data_in_it(desk):
    offer_cases(desk, PERIOD, MONDAY)
    data = filled(desk, n1=("change", "from jane@example.com"), n2=("no", "jane@example.com"))
    desk.store.write("inbox/mine.xls.csv", data.replace(b",accept,", b",,"))
    (found,) = take_returns(desk, TUESDAY)
    assert (found.decided, len(found.rejected), found.redacted) == (1, 1, 1)
    assert "personal data taken out of 1 of them" in str(found)
    assert b"from [e-mail]" in copied(desk, "-mine.xls.csv")
    assert [key for key in desk.store.keys("") if b"jane@" in desk.store.read(key)] == []


def test_answers_that_are_new_labels_are_told_as_such(desk):
    offer_cases(desk, PERIOD, MONDAY)
    rented = ("change", "rental_extension")
    data = filled(desk, n1=rented, n2=rented, n6=("change", "lost tent"))
    for brought in ("3 answers taken in, 0 rows left blank", "this very file was taken in"):
        first, second = str(return_file(desk, data, name="mine.csv", by="ada", at=TUESDAY)).splitlines()
        assert first.startswith(f"mine.csv: {brought}")
        assert second.startswith("  3 answers are new labels: 'lost tent', 'rental_extension' (2); ")


def test_a_file_that_nobody_says_to_have_looked_over_is_refused_and_counts_once_somebody_does(desk):
    offer_cases(desk, PERIOD, MONDAY)
    data = filled(desk, n1=("reject", ""))
    with pytest.raises(PersonError, match="by: found '', expected the name of who says so"):
        return_file(desk, data, name="mine.csv", by="", at=TUESDAY)
    assert not return_file(desk, data, name="mine.csv", by="ada", at=TUESDAY).again
    assert decided_by(desk, TUESDAY)["1"].by == "ada"


def test_a_file_of_neither_kind_is_refused(desk):
    with pytest.raises(SheetError, match="expected"):
        return_file(desk, b"hello", name="x", by="ada", at=TUESDAY)


def test_a_retrain_waits_for_people_until_every_case_is_decided(desk):
    offer_cases(desk, PERIOD, MONDAY)
    waiting = wait_for_review(desk, "2026-05", MONDAY, "scheduled")
    assert str(waiting) == "2026-05 waits until 3 cases are reviewed"
    assert no_longer_waiting(desk, MONDAY) is None
    data = filled(desk, n1=("accept", ""), n2=("reject", ""), n6=("reject", ""))
    return_file(desk, data, name="mine.csv", by="ada", at=TUESDAY)
    assert no_longer_waiting(desk, TUESDAY).reason == "scheduled"
    assert wait_for_review(desk, "2026-05", TUESDAY, "scheduled") is None


def test_a_retrain_does_not_wait_for_a_case_that_was_erased(desk):
    offer_cases(desk, PERIOD, MONDAY)
    wait_for_review(desk, "2026-05", MONDAY, "scheduled")
    return_file(desk, filled(desk, n2=("accept", ""), n6=("reject", "")), name="mine.csv", by="ada", at=TUESDAY)
    questions = desk.store.read(f"batches/{PERIOD}.jsonl").splitlines(keepends=True)
    desk.store.write(f"batches/{PERIOD}.jsonl", b"".join(line for line in questions if b'"id":"1"' not in line))
    assert set(asked(desk)) == {"2", "6"}
    assert no_longer_waiting(desk, TUESDAY).reason == "scheduled"


def test_a_retrain_that_waited_and_was_killed_is_one_until_it_has_its_decision_and_goes_on_as_it_was_booked(desk):
    offer_cases(desk, PERIOD, MONDAY)
    assert wait_for_review(desk, "2026-05", MONDAY, "scheduled")
    data = filled(desk, n1=("accept", ""), n2=("reject", ""), n6=("reject", ""))
    return_file(desk, data, name="mine.csv", by="ada", at=TUESDAY)
    assert no_longer_waiting(desk, TUESDAY).as_of == TUESDAY
    assert wait_for_review(desk, "2026-05", TUESDAY, "scheduled") is None
    # killed before it is booked, and after that: each later review finds it
    assert no_longer_waiting(desk, TUESDAY + WEEK).as_of == TUESDAY + WEEK
    records.save(desk.store, "claims/2026-05.json", Claim("2026-05", TUESDAY, "scheduled"))
    found = no_longer_waiting(desk, TUESDAY + 5 * WEEK)  # June is no new retrain
    assert (found.period, found.as_of, found.reason) == ("2026-05", TUESDAY, "scheduled")
    corrected(desk, "2026-W19", "delivery_delay", MONDAY + WEEK)  # asked since: it does not wait for that
    assert wait_for_review(desk, "2026-05", TUESDAY, "scheduled") is None
    decided(desk, "2026-05", at=TUESDAY)
    assert no_longer_waiting(desk, TUESDAY + WEEK) is None


def corrected(desk: Desk, period: str, answer: str, at: datetime) -> Batch:
    """What is asked when another answer to the first case has been collected."""
    later = replace(complaint(1), answer=answer, known_from=at)
    records.save_rows(desk.store, f"cases/{period}.jsonl", [later])
    records.save_rows(desk.store, f"folded/{period}.jsonl", [])
    return offer_cases(desk, period, at)


def test_who_is_asked_about_a_corrected_answer_decides_on_that_one(desk):
    offer_cases(desk, PERIOD, MONDAY)
    data = filled(desk, n1=("accept", ""), n2=("reject", ""), n6=("reject", ""))
    assert return_file(desk, data, name="first.csv", by="ada", at=TUESDAY).decided == 3
    corrected(desk, "2026-05", "delivery_delay", MONDAY + WEEK)  # a name that sorts before the first
    assert wait_for_review(desk, "2026-05", MONDAY + WEEK, "scheduled")
    again = filled(desk, "2026-05", n1=("accept", ""))
    assert return_file(desk, again, name="second.csv", by="ada", at=MONDAY + WEEK).decided == 1
    assert decided_by(desk, MONDAY + WEEK)["1"].answer == "delivery_delay"
    assert wait_for_review(desk, "2026-05", MONDAY + WEEK, "scheduled") is None


def test_the_newest_decision_counts_and_not_the_newest_file(desk):
    offer_cases(desk, PERIOD, MONDAY)
    changed = filled(desk, n1=("change", "delivery_delay"))
    return_file(desk, changed, name="ada.csv", by="ada", at=TUESDAY)
    back = return_file(desk, annotated(desk, "accept", MONDAY), name="project.json", by="bob", at=MONDAY + WEEK)
    assert back.decided == 3
    decided = {one.id: (str(one.decision), one.by) for one in decided_by(desk, MONDAY + WEEK).values()}
    assert decided == {"1": ("change", "ada"), "2": ("accept", "user 7"), "6": ("accept", "user 7")}


def test_a_batch_of_another_client_is_answered_row_by_row(desk):
    offer_cases(desk, PERIOD, MONDAY)
    theirs = [replace(one, id=f"x{one.id}") for one in asked(desk).values()]
    desk.store.write(f"to-review/{PERIOD}.csv", write_csv(theirs))
    answered = filled(desk, nx1=("accept", ""), nx2=("reject", ""))
    back = return_file(desk, answered, name="theirs.csv", by="ada", at=TUESDAY)
    assert (back.decided, back.blank, [one.row for one in back.rejected]) == (0, 1, [3, 4])
    assert "expected one of the 3 that were asked about" in back.rejected[0].reason


def test_an_mlflow_that_is_down_is_told_and_holds_up_nothing(desk, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    batch = offer_cases(desk, PERIOD, MONDAY)
    assert (batch.questions, batch.page) == (3, None)
    assert "MLflow at http://127.0.0.1:1 cannot be used" in batch.problem
    records.save(desk.store, f"batches/{PERIOD}.json", replace(batch, page="somewhere"))
    desk.store.write("inbox/ada.csv", filled(desk, n1=("accept", "")))
    first, second = take_returns(desk, TUESDAY)
    assert (first.decided, second.name) == (1, "MLflow")
    assert "MLflow at http://127.0.0.1:1 cannot be used" in second.problem


def test_what_a_retrain_has_decided_without_people_is_no_longer_looked_for_in_mlflow(desk, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    records.save(desk.store, f"batches/{PERIOD}.json", replace(offer_cases(desk, PERIOD, MONDAY), page="somewhere"))
    client = desk.client.model_copy(update={"unreviewed": Unreviewed.USE_OUTCOMES})
    unattended = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    quarter, day = timedelta(days=92), timedelta(days=1)
    assert [one.name for one in take_returns(unattended, MONDAY + quarter)] == ["MLflow"]  # was asked, and is down
    assert take_returns(unattended, MONDAY + quarter + day) == []
    assert [one.name for one in take_returns(desk, MONDAY + quarter + day)] == ["MLflow"]  # its retrain waits
    desk.store.write("inbox/late.csv", filled(desk, n1=("accept", "")))
    assert [one.decided for one in take_returns(unattended, MONDAY + quarter + day)] == [1]


def test_two_peoples_copies_that_were_joined_as_tabs_both_count_and_the_copy_kept_has_their_rows(desk):
    offer_cases(desk, PERIOD, MONDAY)
    book = load_workbook(BytesIO(desk.store.read(f"to-review/{PERIOD}.xlsx")))
    first, second = book.worksheets[0], book.copy_worksheet(book.worksheets[0])  # rows of cases 6, 2 and 1
    first.cell(2, 7, "accept")
    second.cell(3, 7, "reject")
    second.cell(4, 7, "perhaps")
    joined = BytesIO()
    book.save(joined)
    desk.store.write("inbox/both.xlsx", joined.getvalue())
    (back,) = take_returns(desk, TUESDAY)
    assert str(back).splitlines() == [
        "both.xlsx: 2 answers taken in, 3 rows left blank",
        f"  row 4 of tab '{PERIOD} Copy' not used: "
        "decision: found 'perhaps', expected one of ['accept', 'change', 'reject']",
    ]
    assert decided_by(desk, TUESDAY).keys() == {"6", "2"}
    kept = list(csv.DictReader(StringIO(copied(desk, "-both.csv").decode("utf-8-sig"))))
    assert [row["decision"] for row in kept] == ["accept", "", "", "", "reject", "perhaps"]


def test_what_was_not_used_of_a_file_before_tabs_were_told_can_still_be_read(desk):
    offer_cases(desk, PERIOD, MONDAY)
    data = filled(desk, n1=("perhaps", ""))
    return_file(desk, data, name="mine.csv", by="ada", at=TUESDAY)
    (key,) = desk.store.keys("returned/")
    old = json.loads(desk.store.read(key))
    del old["rejected"][0]["tab"]
    desk.store.write(key, json.dumps(old).encode())
    again = return_file(desk, data, name="mine.csv", by="ada", at=TUESDAY)
    assert str(again.rejected[0]).startswith("row 4 not used: ")


def test_of_two_files_of_one_run_that_decide_a_case_differently_neither_counts_and_both_say_so(desk):
    offer_cases(desk, PERIOD, MONDAY)
    ada = filled(desk, n1=("accept", ""), n2=("accept", ""), n6=("accept", ""))
    bob = filled(desk, n1=("change", "order_status"), n2=("accept", ""))
    rows = ada.splitlines(keepends=True)
    desk.store.write("inbox/ada.csv", ada + rows[3])  # case 1 twice
    desk.store.write("inbox/bob.csv", bob)
    first, second = take_returns(desk, TUESDAY)
    both = (
        "decision: found accept by inbox/ada.csv in row 4 of 'ada.csv'; "
        "change 'order_status' by inbox/bob.csv in row 4 of 'bob.csv', expected one decision for one id"
    )
    assert str(first).splitlines() == [
        "ada.csv: 2 answers taken in, 0 rows left blank", f"  row 4 not used: {both}", f"  row 5 not used: {both}"
    ]  # fmt: skip
    assert str(second).splitlines() == ["bob.csv: 1 answer taken in, 1 row left blank", f"  row 4 not used: {both}"]
    assert decided_by(desk, TUESDAY).keys() == {"2", "6"}
    assert list(desk.store.keys("inbox/")) == []


def test_of_two_files_of_one_run_the_one_that_says_when_it_was_decided_is_the_older_and_does_not_hold(desk):
    offer_cases(desk, PERIOD, MONDAY)
    desk.store.write("inbox/ada.csv", filled(desk, n1=("reject", "")))
    desk.store.write("inbox/bob.json", annotated(desk, "accept", MONDAY))
    desk.store.write("inbox/grace.json", annotated(desk, "reject", MONDAY + timedelta(hours=1)))
    assert [one.rejected for one in take_returns(desk, TUESDAY)] == [(), (), ()]
    decided = {one.id: (str(one.decision), one.by) for one in decided_by(desk, TUESDAY).values()}
    assert decided == {"1": ("reject", "inbox/ada.csv"), "2": ("reject", "user 7"), "6": ("reject", "user 7")}


def test_a_file_that_was_taken_in_before_contradicts_none_of_a_later_run(desk):
    offer_cases(desk, PERIOD, MONDAY)
    old, new = filled(desk, n1=("accept", "")), filled(desk, n1=("reject", ""))
    desk.store.write("inbox/ada.csv", old)
    take_returns(desk, TUESDAY)
    for key in desk.store.keys("returned/"):
        desk.store.delete(key)  # as of a run that was killed before it wrote down what the file brought
    desk.store.write("inbox/ada.csv", old)
    desk.store.write("inbox/bob.csv", new)
    later = take_returns(desk, TUESDAY + WEEK)
    assert [(one.name, one.decided, one.rejected) for one in later] == [("ada.csv", 1, ()), ("bob.csv", 1, ())]
    assert str(decided_by(desk, TUESDAY + WEEK)["1"].decision) == "reject"


def test_a_run_that_was_killed_and_is_run_again_finds_the_same_contradictions(desk):
    offer_cases(desk, PERIOD, MONDAY)
    files = {
        "inbox/ada.csv": filled(desk, n1=("accept", ""), n2=("accept", "")),
        "inbox/bob.csv": filled(desk, n1=("reject", "")),
    }
    found = []
    for _ in range(2):
        for key, data in files.items():
            desk.store.write(key, data)
        found.append(take_returns(desk, TUESDAY))
        for key in desk.store.keys("returned/"):
            desk.store.delete(key)  # what was decided had been written down
    assert found[0] == found[1]
    assert decided_by(desk, TUESDAY).keys() == {"2"}


def annotated(desk: Desk, decision: str, at: datetime) -> bytes:
    """A Label Studio export in which somebody has decided alike about every case."""
    tasks = json.loads(desk.store.read(f"to-review/{PERIOD}.json"))
    for task in tasks:
        choice = {"from_name": "decision", "to_name": "request", "type": "choices", "value": {"choices": [decision]}}
        task["annotations"] = [{"result": [choice], "completed_by": 7, "updated_at": at.isoformat()}]
    return json.dumps(tasks).encode()


def test_a_second_file_of_the_same_name_leaves_the_first_where_it_is(desk):
    offer_cases(desk, PERIOD, MONDAY)
    for day, number in enumerate(("n1", "n2")):
        desk.store.write("inbox/mine.csv", filled(desk, **{number: ("accept", "")}))
        take_returns(desk, TUESDAY + timedelta(days=day))
    assert len([key for key in desk.store.keys("returned/") if key.endswith("-mine.csv")]) == 2
