"""Does the command line say what was wrong with what it was given, and what it wants?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from tests.audited import FIRST, agreed, serve
from tests.monitoring.test_probation import lived_through
from tests.receivers import webhook
from tests.released import DECIDED, OUTCOMES, SECRET, decide, released_desk, released_template, swapped  # noqa: F401 -- fixtures
from tests.small_client import configure, timeline, write_timeline
from upkeep import records
from upkeep.__main__ import main
from upkeep.cases.relabel_rules import Found
from upkeep.commands.common import show_outcome
from upkeep.config import Relabel
from upkeep.desk import open_desk
from upkeep.home import configs
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.stages.approval import approve
from upkeep.stages.decisions import Decision, decision
from upkeep.stages.evaluation import save_outcomes
from upkeep.store import address

CASE = {"id": "1", "text": "Where is it?", "answer": "order_status"}


def test_a_time_that_is_none_is_told_with_what_a_time_looks_like(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["review", "northwind", "--as-of", "yesterday"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "argument --as-of: found 'yesterday', expected a day or a time such as 2026-11-23, 2026-11-23T06:00" in said


@pytest.mark.parametrize("command", ["review", "report", "decisions"])
def test_a_time_that_is_yet_to_come_is_refused_and_nothing_is_written(tmp_path, monkeypatch, capsys, command):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 0, wrong=0)
    decide(desk, "2026-03")
    there = list(desk.store.keys(""))
    assert main([command, "northwind", "--as-of", "2926-02-09"]) == 1
    assert "the time to act as of is 2926-02-09T00:00+01:00, expected none later than " in capsys.readouterr().err
    assert list(desk.store.keys("")) == there


def test_a_missing_timeline_is_told_with_what_a_timeline_is(tmp_path, capsys):
    gone = tmp_path / "history.parquet"
    assert main(["replay", str(gone), "--tier", "1", "--json", str(tmp_path / "months.json")]) == 1
    wanted = "expected a Parquet file with the columns id, ts, text, label, split, valid_from, valid_to"
    assert capsys.readouterr().err == f"upkeep: {gone}: no such file, {wanted}\n"


@pytest.mark.parametrize("option", ["--since 2026-Q3", "--rebuild"])
def test_what_data_is_asked_of_a_period_is_refused_without_one(tmp_path, monkeypatch, capsys, option):
    agreed(tmp_path, monkeypatch)
    assert main(["data", "northwind", *option.split()]) == 1
    wanted = f"`upkeep data northwind PERIOD {option}`"
    assert capsys.readouterr().err == f"upkeep: {option}: found no period, expected {wanted}\n"


@pytest.fixture
def history(tmp_path) -> Path:
    played = timeline(months=1, per_month=20)
    write_timeline(tmp_path / "history.parquet", [*played.launch, *played.stream, *played.golden])
    return tmp_path / "history.parquet"


def replay(history, *more: object) -> int:
    return main(["replay", str(history), "--json", str(history.parent / "out" / "months.json"), *map(str, more)])


def test_a_replay_like_nobody_is_told_who_there_is(history, capsys):
    assert replay(history, "--tier", 1, "--like", "nobody") == 1
    assert "nobody.yaml: no such file, expected one of ['brightbill', 'clearline'" in capsys.readouterr().err


def test_a_replay_finds_a_base_model_that_lies_under_the_home_of_the_client_it_is_like(
    tmp_path, monkeypatch, history, capsys
):
    monkeypatch.setenv("UPKEEP_HOME", str(tmp_path / "home"))
    configure(tmp_path / "configs", monkeypatch, base_model={"path": "models/nowhere"})
    assert replay(history, "--tier", 1, "--like", "northwind", "--keep", tmp_path / "kept") == 1
    assert f"no folder {tmp_path / 'home' / 'models' / 'nowhere'}" in capsys.readouterr().err


def test_a_replay_makes_the_folders_of_what_it_writes_before_it_plays(tmp_path, monkeypatch, history, capsys):
    configure(tmp_path / "configs", monkeypatch)
    assert replay(history, "--tier", 1, "--answers", history / "answers.jsonl") == 1
    assert "answers.jsonl: no such folder, and it cannot be made" in capsys.readouterr().err
    assert replay(history, "--tier", 9, "--like", "clearline", "--answers", tmp_path / "new" / "answers.jsonl") == 1
    assert "replayed.yaml: tier is 9" in capsys.readouterr().err  # nothing is played
    assert (tmp_path / "new").is_dir()
    assert (tmp_path / "out").is_dir()


def test_an_audit_sheet_is_written_into_a_folder_that_is_made_for_it(tmp_path, monkeypatch):
    serve(agreed(tmp_path, monkeypatch), 0, wrong=0, audited=False)
    sheet = tmp_path / "new" / "sheet.xlsx"
    assert main(["audit", "northwind", "--to", str(sheet), "--as-of", str(FIRST + timedelta(weeks=1))]) == 0
    assert sheet.read_bytes().startswith(b"PK")


def test_a_sheet_that_is_returned_twice_is_told_to_have_been_taken_in_before(tmp_path, monkeypatch, capsys):
    serve(agreed(tmp_path, monkeypatch), 0, wrong=0, n=5, audited=False)
    sheet = str(tmp_path / "sheet.xlsx")
    assert main(["audit", "northwind", "--to", sheet, "--as-of", "2026-02-09"]) == 0
    for day in (10, 11):
        assert main(["audited", "northwind", sheet, "--as-of", f"2026-02-{day}T12:00"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "northwind 2026-W06: 0 answers taken in, 5 rows left blank",
        "northwind 2026-W06: this very sheet was taken in on 2026-02-10 12:00 already (0 answers); nothing changed",
    ]


def test_missing_cases_are_told_with_what_cases_are(tmp_path, capsys):
    gone = tmp_path / "cases.jsonl"
    assert main(["onboard", "northwind", "--cases", str(gone), "--golden", str(gone)]) == 1
    assert capsys.readouterr().err == f"upkeep: {gone}: no such file, expected JSON Lines with id, text and answer\n"


def test_a_golden_item_that_holds_until_no_time_is_told_with_its_line(tmp_path, capsys):
    cases, golden = tmp_path / "cases.jsonl", tmp_path / "golden.jsonl"
    cases.write_text(json.dumps(CASE))
    golden.write_text(f"{json.dumps(CASE)}\n{json.dumps(CASE | {'valid_to': 'next month'})}\n")
    assert main(["onboard", "northwind", "--cases", str(cases), "--golden", str(golden)]) == 1
    assert f"{golden} line 2: valid_to: found 'next month', expected a day or a time" in capsys.readouterr().err


@pytest.mark.parametrize("by", [{"chanel": "mail"}, {"channel": 0.5}, {"channel": ["mail"]}, "mail", 7])
def test_a_golden_item_is_asked_by_nothing_but_the_keys_of_the_client(tmp_path, monkeypatch, capsys, by):
    configure(tmp_path / "configs", monkeypatch, review_by=["channel", "vip"])
    assert onboard(tmp_path, CASE | {"by": by}) == 1
    wanted = "expected an object with a text for some of ['channel', 'vip'], the client's review_by"
    assert f"golden.jsonl line 1: by is {by!r}, {wanted}" in capsys.readouterr().err


def test_a_golden_item_keeps_the_values_that_the_client_asks_by(tmp_path, monkeypatch):
    # no model is trained without a base model; by then the golden set is stored
    configure(tmp_path / "configs", monkeypatch, review_by=["channel", "vip"], base_model={"path": "models/nowhere"})
    assert onboard(tmp_path, CASE | {"by": {"channel": "mail", "vip": True}}, CASE | {"id": "2", "by": None}) == 1
    assert [item.by for item in open_desk("northwind").golden()] == [{"channel": "mail", "vip": "true"}, {}]


def test_a_mistyped_answer_is_pointed_out_before_the_model_is_trained(tmp_path, monkeypatch, capsys):
    configure(tmp_path / "configs", monkeypatch, base_model={"path": "models/nowhere"})
    assert onboard(tmp_path, CASE | {"answer": "order_statis"}) == 1
    assert "look at answer 'order_statis': in 0 cases and 1 golden item, and" in capsys.readouterr().out


def onboard(folder, *golden) -> int:
    (folder / "cases.jsonl").write_text(json.dumps(CASE))
    (folder / "golden.jsonl").write_text("\n".join(map(json.dumps, golden)))
    files = ["--cases", str(folder / "cases.jsonl"), "--golden", str(folder / "golden.jsonl")]
    return main(["onboard", "northwind", *files])


def test_a_missing_sheet_is_told_with_what_it_is(tmp_path, capsys):
    assert main(["audited", "northwind", str(tmp_path / "gone.xlsx")]) == 1
    assert "gone.xlsx: no such file, expected the .xlsx file that `upkeep audit` wrote" in capsys.readouterr().err


def test_a_sheet_that_is_no_workbook_is_told_by_its_name(tmp_path, monkeypatch, capsys):
    agreed(tmp_path, monkeypatch)
    notes = tmp_path / "notes.xlsx"
    notes.write_text("not a sheet")
    assert main(["audited", "northwind", str(notes)]) == 1
    assert capsys.readouterr().err.startswith(f"upkeep: {notes}: not an Excel workbook (.xlsx): ")
    assert main(["reviewed", "northwind", str(notes), "--by", "ada"]) == 1
    assert capsys.readouterr().err.startswith(f"upkeep: {notes}: no Excel workbook, and as a CSV file: found ")


def test_a_review_tells_what_came_back_and_that_another_model_is_in_service(desk, monkeypatch, capsys):
    lived_through(desk)
    at = FIRST + timedelta(weeks=4, hours=3)
    unheard = Prediction("unheard", at, "Where is it?", "order_status", 0.1, "2", True, None, {})
    write_predictions(desk.store, [unheard], name="unheard")  # of all else an audit has said what is right
    page = configs() / "clients" / "northwind.yaml"
    page.write_text(yaml.safe_dump(yaml.safe_load(page.read_text()) | {"tier": 3, "rollback": "automatic"}))
    desk.store.write("inbox/photo.csv", b"not a batch")
    with webhook() as (url, got):
        monkeypatch.setenv("UPKEEP_CHANNEL_APP", url.replace("json://", "http://").partition("?")[0])
        monkeypatch.setenv("UPKEEP_CHANNEL_APP_SECRET", SECRET)
        assert main(["review", "northwind", "--as-of", f"{FIRST + timedelta(weeks=5):%Y-%m-%dT%H:%M%z}"]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].startswith("northwind: the review of 2026-W10 stands as it was written, as of 2026-03-09 10:00; ")
    assert lines[1].startswith("northwind photo.csv: ")
    assert lines[2] == "northwind 2026-W10: 60 requests"
    assert [
        one for one in lines if one.startswith("  2026-03-09 10:00 rollback: version 1 in place of 2, by probation: ")
    ]
    # all that the flow's page has of it
    assert [one for one in lines if one.startswith("  worse on probation: version 2: accuracy 50.0%")]
    assert "  We recommend a retrain." in lines
    (audit,) = [one for one in lines if one.startswith("  audit: ")]
    assert audit.startswith("  audit: 1 of 61 requests ")
    assert "then `upkeep audited northwind FILE`" in audit
    assert lines[-1] == "told webhook:app: Northwind Outdoors: version 1 is back in service"
    assert [body["type"] for body in got] == ["release.promote", "release.rollback"]
    assert said.err == ""


def test_who_interrupts_a_command_is_told_in_one_line_that_the_same_one_goes_on(tmp_path, monkeypatch, capsys):
    desk = agreed(tmp_path, monkeypatch, redaction={"by": f"{__name__}:ctrl_c"})
    serve(desk, 0, wrong=6)
    assert main(["review", "northwind", "--as-of", "2026-02-09"]) == 130
    said = "\nupkeep: interrupted; what is kept stays, and the same command goes on from there\n"
    assert capsys.readouterr().err == said


def ctrl_c(text: str) -> str:
    """A client's own redactor, during which somebody has had enough: what Python makes of the signal.

    The signal itself is ignored in a test that was started in the background.
    """
    raise KeyboardInterrupt(text)


def test_a_review_and_a_retrain_tell_what_they_collected_and_what_people_are_asked_to_look_over_and_where(desk, capsys):
    page = configs() / "clients" / "northwind.yaml"
    page.write_text(yaml.safe_dump(yaml.safe_load(page.read_text()) | {"tier": 3, "unreviewed": "wait"}))
    serve(desk, 0, wrong=0, audited=False)
    said = Outcome("0-0", FIRST + timedelta(days=1), OutcomeSource.CUSTOMER, "refund_status")
    write_outcomes(desk.store, [said], name="customers")
    assert main(["review", "northwind", "--as-of", "2026-02-09"]) == 0
    asked = f"  1 case to look over: {address(desk.store, 'to-review/2026-W06.xlsx')}"
    counts = "  1 new case, 1 of them an error, redacted: e-mail 1, number 1"
    assert capsys.readouterr().out.splitlines()[-2:] == [counts, asked]

    tent = Prediction("tent", FIRST, "May I send a wet tent back?", "order_status", 0.9, "1", True)
    write_predictions(desk.store, [tent], name="tents")
    write_outcomes(desk.store, [replace(said, prediction_id="tent")], name="tents")
    assert main(["retrain", "northwind", "--as-of", "2026-03-02"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "northwind 2026-03: 1 new case, 1 of them an error",
        f"northwind 1 case to look over: {address(desk.store, 'to-review/2026-03.xlsx')}",
        "northwind: 2026-03 waits until 2 cases are reviewed",
    ]


def test_a_new_category_tells_what_came_back_and_could_not_be_used(tmp_path, monkeypatch, capsys):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 0, wrong=0)
    desk.store.write("inbox/photo.csv", b"not a batch")
    monday = ["--as-of", f"{FIRST + timedelta(weeks=1):%Y-%m-%dT%H:%M%z}"]
    seeds = tmp_path / "repairs.txt"
    seeds.write_text("My tent pole broke at night\nThe zip of my jacket is stuck\nCan you mend a torn rucksack?\n")
    assert main(["variant", "northwind", "--label", "repairs", "--seeds", str(seeds), *monday]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("northwind photo.csv: ")
    order = (
        "change order 2026-02-variant-repairs (the new category 'repairs'): tier 'monitoring' includes no new use case"
    )
    assert rest == [f"northwind: {order}; no reason given"]


def test_a_reason_that_is_left_empty_is_none(tmp_path, monkeypatch, capsys):
    serve(agreed(tmp_path, monkeypatch), 0, wrong=0)
    assert main(["retrain", "northwind", "--reason", " ", "--as-of", "2026-04-01"]) == 0
    assert capsys.readouterr().out.endswith("; no reason given\n")


def test_a_rule_that_is_not_there_and_a_day_without_an_answer_are_told(tmp_path, monkeypatch, capsys):
    agreed(tmp_path, monkeypatch)
    assert main(["rules", "northwind"]) == 0
    assert "northwind: no rule was proposed" in capsys.readouterr().out
    assert main(["rules", "northwind", "1f3a09bc"]) == 1
    assert capsys.readouterr().err == "upkeep: client northwind: no rule '1f3a09bc', none was proposed\n"
    assert main(["rules", "northwind", "1f3a09bc", "--since", "2026-07-01"]) == 1
    assert capsys.readouterr().err == "upkeep: --since is 2026-07-01: expected --accept with it\n"


def test_who_decides_otherwise_about_a_rule_is_told_what_was_decided_and_what_follows(tmp_path, monkeypatch, capsys):
    desk = agreed(tmp_path, monkeypatch, relabel=[])
    one = Found(Relabel(old="refund_status", new="oos", since=date(2026, 3, 9)), "2026-W13", DECIDED, "5 of 5")
    records.save(desk.store, f"rules/{one.id}.json", one)
    first_lines, decided = [], ["ada accept", "bob accept", "bob refuse", "ada accept"]
    for day, (by, answer) in enumerate(map(str.split, decided), start=10):
        assert main(["rules", "northwind", one.id, f"--{answer}", "--by", by, "--as-of", f"2026-04-{day}"]) == 0
        first_lines.append(capsys.readouterr().out.splitlines()[0])
    assert first_lines[0].startswith(f"{one.id} accepted by ada: 'refund_status' becomes 'oos'")
    assert first_lines[1].startswith(f"{one.id} accepted by bob: ")
    assert first_lines[2] == (
        f"{one.id} was accepted by bob on 2026-04-11 and is refused by bob now: the next retrain teaches again what it "
        "ended, and until then the model in service stays as it is"
    )
    follows = "the next retrain unlearns the old answer"
    assert first_lines[3] == f"{one.id} was refused by bob on 2026-04-12 and is accepted by ada now: {follows}"


def test_what_people_do_is_booked_and_a_quarter_s_brief_tells_what_to_talk_about(tmp_path, monkeypatch, capsys):
    desk = agreed(tmp_path, monkeypatch, tier=3)
    serve(desk, 0, wrong=0)
    said = ["--by", "Ada", "--reason", "the plans for the summer", "--as-of", "2026-03-10"]
    assert main(["book", "northwind", "strategy-session", *said]) == 0
    wanted = "northwind: strategy session of 2026-Q1 used on 2026-03-10 by Ada: the plans for the summer\n"
    assert capsys.readouterr().out == wanted
    assert main(["book", "northwind", "strategy-session", *said[:4], "--as-of", "2026-03-11"]) == 0
    order = capsys.readouterr().out
    assert order.startswith("northwind: change order 2026-Q1-strategy-session-")
    for day, before in ((10, wanted), (11, order)):
        assert main(["book", "northwind", "strategy-session", *said[:4], "--as-of", f"2026-03-{day}T09:00"]) == 0
        assert capsys.readouterr().out == before.replace("northwind: ", "northwind: already written down: ")
    assert main(["brief", "northwind", "--as-of", "2026-04-01"]) == 0
    first, *agenda = capsys.readouterr().out.splitlines()
    assert first == f"northwind 2026-Q1: 2 to talk about; {address(desk.store, 'briefs/2026-Q1.html')}"
    assert agenda[1].startswith("  Not reviewed, and not counted here: 8 of 8 weeks (2026-W06, ")


def test_a_retrain_whose_challenger_won_says_that_it_waits_for_a_person_and_how_to_answer(desk, capsys):
    show_outcome(desk, decision(desk, "2026-03"))
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "northwind 2026-03: promote"
    # 30 days from the 2nd of March
    assert last.startswith("  Version 2 won in 2026-03 and waits for approval until 2026-04-01: `upkeep approve northw")
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    show_outcome(desk, decision(desk, "2026-03"))
    said = capsys.readouterr().out
    assert said.startswith("northwind 2026-03: promote and in service\n")
    assert "waits" not in said


def test_who_reads_no_more_of_what_a_command_says_ends_it_quietly():
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as nobody:
        check = [sys.executable, "-m", "upkeep", "check"]
        done = subprocess.run(check, stdout=nobody, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("option", [["--reason", "x"], ["--seed", "1"]])
def test_a_review_takes_no_option_that_it_has_no_use_for(option, capsys):
    with pytest.raises(SystemExit):
        main(["review", "northwind", *option])
    assert f"unrecognized arguments: {option[0]}" in capsys.readouterr().err


def test_decisions_are_listed_approved_judged_again_and_taken_back(desk, capsys):
    decide(desk, "2026-04", outcomes=OUTCOMES[:100])
    said = ["northwind", "--by", "ada", "--reason", "looks right", "--as-of", "2026-03-05"]
    assert main(["approve", said[0], "2026-03", *said[1:]]) == 0
    told = capsys.readouterr()
    assert told.out == "northwind: version 2 is in service, approved by ada\n"
    assert told.err.startswith(
        "upkeep: not told yet, the next review tries again: channel app: no URL, expected the env"
    )
    assert main(["rollback", *said]) == 0
    assert capsys.readouterr().out == "northwind: version 1 is back in service\n"

    assert main(["decisions", "northwind", "--again", "--as-of", "2026-03-06"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2026-03: promote, version 2 against 1; was in service"
    assert "2026-04: hold, version 2 against 1; not promoted" in lines
    assert lines.count("  judged again: identical") == 2
    assert lines[-3:] == [
        "  2026-02-02 10:00 launch: version 1, by onboarding: the first model",
        "  2026-03-05 00:00 promote: version 2 in place of 1, by ada: looks right",
        "  2026-03-05 00:00 rollback: version 1 in place of 2, by ada: looks right",
    ]

    assert main(["refuse", said[0], "2026-04", *said[1:]]) == 1
    assert "decision 2026-04: not promoted, expected one that waits" in capsys.readouterr().err
    save_outcomes(desk, "2026-03", swapped(OUTCOMES))
    old = records.load(desk.store, "decisions/2026-04.json", Decision)
    records.save(desk.store, "decisions/2026-04.json", replace(old, terms=None, evidence=None))
    assert main(["decisions", "northwind", "--again"]) == 1
    told = capsys.readouterr()
    assert "  judged again: cannot be, it was made before terms were kept" in told.out
    assert "  judged again: verdict: reject, decided on promote" in told.out
    assert told.err == "upkeep: client northwind: 1 decision comes out otherwise than recorded\n"
