"""Are the files that a client begins with read as editors write them, and is what is wrong told by line?"""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest

from upkeep.cases.case import Case, Item, Source
from upkeep.commands.first_files import first_cases, golden_set, label_notes
from upkeep.config import Client, load_client
from upkeep.errors import ConfigError
from upkeep.home import configs
from upkeep.recipes import Task

ROW = {"id": "1", "text": "Où est-il ?", "answer": "order_status"}
CASE = Case("1", "Où est-il ?", "order_status", Source.LAUNCH)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "cases.jsonl"


@pytest.fixture
def client() -> Client:
    return load_client(configs(), "northwind")


def line(**changes: object) -> bytes:
    return json.dumps(ROW | changes, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "data",
    [
        line(),
        codecs.BOM_UTF8 + line() + b"\r\n",
        b"\n" + line() + b"\n\n  \n",
        line(id=" 1", text=" Où est-il ?\n", answer="order_status "),
    ],
)
def test_how_a_file_was_saved_makes_no_difference(path, client, data):
    path.write_bytes(data)
    assert first_cases(path) == [CASE]
    assert golden_set(path, client) == [Item("1", CASE.text, CASE.answer)]


def test_a_line_ends_where_json_lines_says_and_nowhere_else(path):
    text = "one\N{LINE SEPARATOR}two\x85three\N{PARAGRAPH SEPARATOR}four"
    path.write_bytes(line(text=text) + b"\n" + line(id="2"))
    assert [one.text for one in first_cases(path)] == [text, CASE.text]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (line(id="2").decode().encode("cp1252"), "line 3: not UTF-8: .* expected a file that was saved as UTF-8"),
        (b'{"id": "2",', "line 3: not JSON"),
        (b"[" * 100_000, "line 3: not JSON"),
        (b"[1]", "line 3: found list, expected an object with id, text and answer"),
        (line(id=2), "line 3: id is missing or empty, expected a string"),
        (line(id="2", answer=" "), "line 3: answer is missing or empty, expected a string"),
        (line(id="2", text=None), "line 3: text is missing or empty, expected a non-empty string"),
        (line(id="1 ", text="Another one"), "line 3: id '1' is that of line 1 too, expected each once"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(path, bad, says):
    path.write_bytes(b"\n".join([line(), b"", bad]))
    with pytest.raises(ConfigError, match=f"cases.jsonl {says}"):
        first_cases(path)


def test_answers_that_the_config_does_not_have_are_pointed_out_with_how_often(client):
    cases = [
        Case(str(n), "?", answer, Source.LAUNCH) for n, answer in enumerate(["order_statis"] * 2 + ["order_status"])
    ]
    ruled = [client.out_of_scope_label, *(label for rule in client.relabel for label in (rule.old, rule.new))]
    golden = [Item(str(n), "?", answer) for n, answer in enumerate(["gift_card", *ruled])]
    assert label_notes(client, cases, golden) == [
        "answer 'gift_card': in 0 cases and 1 golden item, and not in labels; new_labels is 'learn'",
        "answer 'order_statis': in 2 cases and 0 golden items, and not in labels; new_labels is 'learn'",
    ]
    assert label_notes(client.model_copy(update={"task": Task.GENERATION}), cases, golden) == []
