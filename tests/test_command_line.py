"""Does the command line say what was wrong with what it was given, and what it wants?"""

from __future__ import annotations

import json

import pytest

from upkeep.__main__ import main

CASE = {"id": "1", "text": "Where is it?", "answer": "order_status"}


def test_a_time_that_is_none_is_told_with_what_a_time_looks_like(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["review", "northwind", "--as-of", "yesterday"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "argument --as-of: found 'yesterday', expected a day or a time such as 2026-11-23, 2026-11-23T06:00" in said


def test_a_missing_timeline_is_told_with_what_a_timeline_is(tmp_path, capsys):
    gone = tmp_path / "history.parquet"
    assert main(["replay", str(gone), "--tier", "1", "--json", str(tmp_path / "months.json")]) == 1
    wanted = "expected a Parquet file with the columns id, ts, text, label, split, valid_from, valid_to"
    assert capsys.readouterr().err == f"upkeep: {gone}: no such file, {wanted}\n"


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


def test_a_missing_sheet_is_told_with_what_it_is(tmp_path, capsys):
    assert main(["audited", "northwind", str(tmp_path / "gone.xlsx")]) == 1
    assert "gone.xlsx: no such file, expected the .xlsx file that `upkeep audit` wrote" in capsys.readouterr().err
