"""Whatever becomes of a returned file: is no good row lost, and does no bad one count?"""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from io import StringIO
from typing import Any

from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st

from tests.returned_batch import (
    ANSWER,
    COMMENT,
    DECISION,
    HEAD,
    ID,
    LABELS,
    NOON,
    OFFERED,
    REQUEST,
    TEXTS,
    annotation,
    csv_bytes,
    csv_table,
    exported,
    filled,
    judged,
    question,
    xlsx_bytes,
    xlsx_table,
)
from upkeep import records
from upkeep.cases.mangled_text import comparable
from upkeep.cases.review_batch import (
    Choice,
    Question,
    write_csv,
    write_label_studio,
    write_xlsx,
)
from upkeep.cases.spreadsheet import Column, read_csv_rows, write_csv_file
from upkeep.errors import SheetError


@given(text=TEXTS)
@example(text="x;=1+1;")
@example(text='x\n"=1+1')
@example(text="\uff1d1+1")
def test_no_cell_of_a_csv_file_runs_wherever_a_spreadsheet_splits_it(text: str):
    line = write_csv([question(1, f"{text} ", text, id=f"p-{text}")]).decode("utf-8-sig").split("\r\n", 1)[1]
    for cell in re.split(r"[;\t\r\n]|(?<=\"),(?=\")", line):
        assert not re.match(r"[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell)


@given(text=TEXTS)
@example(text="'=1")
@example(text="'5")
@example(text="-5")
@example(text="''- a\n'- b")
def test_what_is_put_before_a_cell_is_taken_off_again(text: str):
    data = write_csv_file([Column("request", 9)], [{"request": text}])
    rows = list(read_csv_rows(data.decode("utf-8-sig"), delimiter=","))
    assert rows[1] == [re.sub("[\x00-\x09\x0b\x0c\x0e-\x1f\ufffe\uffff]", " ", text)]


@given(data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_whatever_is_in_a_file_it_is_read_or_refused(data: bytes):
    refused_or_read(data)


@settings(max_examples=150)
@given(at=st.floats(0, 1, exclude_max=True), instead=st.binary(max_size=3), kept=st.floats(0.5, 1))
def test_whatever_became_of_a_workbook_it_is_read_or_refused(at: float, instead: bytes, kept: float):
    whole = write_xlsx([question(1), question(2)], labels=LABELS)
    place = int(at * len(whole))
    refused_or_read((whole[:place] + instead + whole[place + len(instead) :])[: int(kept * len(whole)) + 1])
    refused_or_read(whole[:place] + instead + whole[place + len(instead) :])


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just("p-001")
NAMES = st.sampled_from(
    ["data", "case_id", "annotations", "result", "from_name", "value", "text", "completed_by", "id"]
)
JSON = st.recursive(
    LEAVES, lambda some: st.lists(some, max_size=3) | st.dictionaries(NAMES, some, max_size=3), max_leaves=8
)


@settings(max_examples=300)
@given(instead=JSON, data=st.data())
def test_whatever_became_of_a_label_studio_export_it_is_read_or_refused(instead: object, data):
    export = json.loads(exported([question(1)], {"p-001": [({"id": 3}, "change", "gift cards")]}))
    inside, at = data.draw(st.sampled_from(list(places(export))))
    inside[at] = instead
    refused_or_read(json.dumps(export).encode())
    refused_or_read(json.dumps([instead]).encode())


@settings(max_examples=300)
@given(instead=JSON, flat=st.booleans(), data=st.data())
def test_whatever_became_of_one_task_of_a_label_studio_export_the_others_count(instead: object, flat: bool, data):
    asked = [question(1), question(2), question(3)]
    said = {one.id: [({"id": 3}, "change", "gift cards")] for one in asked}
    export = json.loads(exported(asked, said))
    if flat:
        export = [one["data"] | {"id": at, "decision": "reject", "annotator": 3} for at, one in enumerate(export)]
    inside, at = data.draw(st.sampled_from([(export, 1), *places(export[1])]))
    inside[at] = instead
    back = judged(json.dumps(export).encode(), asked)
    # one that is about another's case by now contradicts it
    assume(not (flat and isinstance(export[1], dict) and export[1].get("case_id") == "p-001"))
    assert {one.id for one in back.decided} ^ {"p-001", "p-003"} <= {"p-002"}
    assert len(back.decided) + back.blank + len(back.rejected) == 3


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every list and object in a JSON value with each of its places."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for at, one in inside:
        yield value, at
        yield from places(one)


def refused_or_read(data: bytes) -> None:
    try:
        back = judged(data, [question(1)])
    except SheetError as exc:
        assert str(exc)  # noqa: PT017 -- either way is right
    else:
        assert records.dump_rows([*back.decided, *back.rejected]).count(b"\n") == len(back.decided) + len(back.rejected)


# What people do to a file, and what it is then worth: known to the test because it did it.

SAID = {
    ("accept", ""): "accept",
    ("Accept ", "{offered}"): "accept",
    ("", "{offered}"): "accept",
    ("change", "{other}"): "{other}",
    ("", "{other}"): "{other}",
    ("change", "gift cards"): "gift cards",
    ("reject", ""): "reject",
    ("", ""): "blank",
    ("acept", ""): "bad",
    ("change", ""): "bad",
    ("change", "{offered}"): "bad",
    ("accept", "{other}"): "bad",
    ("change", "Refund-statu"): "bad",
    ("", "gift cards"): "bad",
}
"""What may be written under decision and answer, and what it comes to."""


@dataclass(frozen=True)
class Touched:
    """A row of a returned file: its cells, and what its decision comes to if it is still about one case."""

    cells: tuple[str, ...]
    worth: str


AGAIN = NOON - timedelta(days=3)
"""When some cases were asked about again with another answer."""


@st.composite
def batches(draw) -> list[Question]:
    """Cases with any ids and texts, each told apart by a letter, so that none is by chance another's; some twice."""
    answers = [*LABELS[:3], "退款"]
    asked = []
    for number, letter in enumerate("abcdefg"[: draw(st.integers(1, 7))]):
        first, *later = draw(st.permutations(answers))[: draw(st.sampled_from([1, 1, 2]))]
        one = question(number, f"{draw(TEXTS)} {letter}", first, id=f"p-{letter}{draw(TEXTS)}")
        asked += [replace(one, until=AGAIN if later else None), *(replace(one, answer=answer) for answer in later)]
    return asked


@st.composite
def returned(draw, asked: list[Question], table: list[list[str]]) -> list[Touched]:
    """The rows of a table after people had it: filled in, dropped, doubled, spoiled and put into another order."""
    rows = []
    for about, cells in zip(asked, table, strict=True):
        for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2]))):
            rows.append(spoiled(draw, fill_in(draw, cells, about)))
    rows = draw(st.permutations(rows))
    again = any(one.until for one in asked)  # an answer offered that is moved may fit the other question of the case
    column = draw(st.sampled_from([None, None, ID, REQUEST, None if again else OFFERED]))
    if column is None:
        return rows
    values = sorted(row.cells[column] for row in rows)
    return [replace(row, cells=put(row.cells, column, value)) for row, value in zip(rows, values, strict=True)]


def fill_in(draw, cells: list[str], about: Question) -> Touched:
    names = {"offered": about.answer, "other": next(one for one in LABELS if one != about.answer)}
    said, worth = draw(st.sampled_from(list(SAID.items())))
    decision, answer = (one.format(**names) for one in said)
    return Touched(put(put(tuple(cells), DECISION, decision), ANSWER, answer), worth.format(**names))


def spoiled(draw, row: Touched) -> Touched:
    """The row, or one with an id that is a character off, or without its id or its request."""
    before, letter, after = re.fullmatch(r"(.*?p-)(.)(.*)", row.cells[ID], re.DOTALL).groups()
    ids = {"another": before + draw(st.sampled_from("abz")) + after, "longer": f"{before}¤{letter}{after}", "no id": ""}
    how = draw(st.sampled_from(["", "", "", "", *ids, "no request"]))
    if how in ids:
        return replace(row, cells=put(row.cells, ID, ids[how]))
    return replace(row, cells=put(row.cells, REQUEST, "")) if how else row


def put(cells: tuple[str, ...], at: int, value: str) -> tuple[str, ...]:
    return (*cells[:at], value, *cells[at + 1 :])


def expected(
    rows: list[Touched], asked: list[Question], table: list[list[str]]
) -> tuple[set[tuple[str, bool, str]], int, int]:
    """The decisions to be found, with whether an older question is meant, and how many rows are blank and rejected."""

    def about_what(cells: Sequence[str]) -> tuple[str, str, str]:
        # another row's id with a letter changed is by chance a case's own but for the space at its end
        return comparable(cells[ID]), cells[REQUEST], cells[OFFERED]

    whose = {about_what(cells): (about.id, about.until == AGAIN) for about, cells in zip(asked, table, strict=True)}
    worths = defaultdict(set)
    for row in rows:
        if row.worth != "blank":
            worths[whose.get(about_what(row.cells))].add(row.worth)
    good = {(*about, *said) for about, said in worths.items() if about and len(said) == 1 and said != {"bad"}}
    blank = sum(row.worth == "blank" for row in rows)
    return good, blank, len(rows) - blank - len(good)


def found(data: bytes, asked: list[Question]) -> tuple[set[tuple[str, bool, str]], int, int]:
    back = judged(data, asked)
    decided = {
        (one.id, one.at < AGAIN, one.answer if one.decision is Choice.CHANGE else str(one.decision))
        for one in back.decided
    }
    offered = {(one.id, one.until == AGAIN, one.answer) for one in asked}
    assert all((one.id, one.at < AGAIN, one.answer) in offered for one in back.decided if one.decision == "accept")
    assert len(decided) == len(back.decided)
    return decided, back.blank, len(back.rejected)


@st.composite
def laid_out(draw, rows: list[Touched]) -> list[list[str]]:
    """A table as another program may leave it: columns moved and added, names respelled, empty rows in between."""
    order = draw(st.permutations(range(len(HEAD))))
    respell = draw(st.sampled_from([str, str.upper, str.title, lambda name: f" {name.replace(' ', '  ')} "]))
    table = [[*(respell(HEAD[at]) for at in order), "Größe", ""]]
    for row in rows:
        table += [[""] * 3] * draw(st.sampled_from([0, 0, 1]))
        table.append([*(row.cells[at] for at in order), "ö", ""])
    return table


ANY = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@ANY
@given(
    asked=batches(),
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
    data=st.data(),
)
def test_of_a_csv_file_no_good_row_is_lost_and_no_bad_one_counts(asked, delimiter, encoding, data):
    sent = csv_table(write_csv(asked))[1:]
    rows = data.draw(returned(asked, sent))
    back = csv_bytes(data.draw(laid_out(rows)), delimiter=delimiter, encoding=encoding)
    assert found(back, asked) == expected(rows, asked, sent)


@ANY
@given(asked=batches(), delimiter=st.sampled_from(",;\t"), every=st.booleans(), data=st.data())
def test_of_a_csv_file_with_a_stray_quote_no_other_row_is_lost_and_no_bad_one_counts(asked, delimiter, every, data):
    sent = csv_table(write_csv(asked))[1:]
    rows = data.draw(returned(asked, sent))
    assume(rows)
    at = data.draw(st.integers(0, len(rows) - 1))
    rows[at] = replace(rows[at], cells=put(rows[at].cells, COMMENT, "he said MARK to me"), worth="bad")
    text = csv_bytes(data.draw(laid_out(rows)), delimiter=delimiter, quoted=every).decode()
    text = re.sub('"?(he said )MARK( to me)"?', r'"\1"ok"\2"', text)
    try:
        back = found(text.encode(), asked)
    except SheetError:
        event("refused")
    else:
        event("read")
        assert back == expected(rows, asked, sent)


@ANY
@given(asked=batches(), delimiter=st.sampled_from(",;\t"), every=st.booleans(), more=st.booleans(), data=st.data())
def test_of_a_csv_file_with_a_quote_too_many_or_too_few_no_row_counts_that_nobody_wrote(
    asked, delimiter, every, more, data
):
    sent = csv_table(write_csv(asked))[1:]
    rows = [row for row in data.draw(returned(asked, sent)) if row.cells[ID]]
    text = csv_bytes(data.draw(laid_out(rows)), delimiter=delimiter, quoted=every).decode("utf-8-sig")
    places = [at for at, one in enumerate(text) if more or one == '"'] or [len(text)]
    at = data.draw(st.sampled_from(places))
    text = text[:at] + '"' * more + text[at + (not more) :]
    if not is_broken(text, delimiter):
        return  # it says something else than was meant, as a file that can be read does
    try:
        back = judged(text.encode(), asked)
    except SheetError:
        event("refused")
    else:
        event("read")
        said = {one.answer if one.decision is Choice.CHANGE else str(one.decision) for one in back.decided}
        assert said <= {row.worth for row in rows}
        assert len(back.decided) + back.blank + len(back.rejected) == len(rows)


def is_broken(text: str, delimiter: str) -> bool:
    try:
        list(csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return True
    return False


@settings(ANY, max_examples=100)
@given(asked=batches(), data=st.data())
def test_of_a_workbook_no_good_row_is_lost_and_no_bad_one_counts(asked, data):
    sent = xlsx_table(write_xlsx(asked, labels=LABELS))[1:]
    rows = data.draw(returned(asked, sent))
    assert found(xlsx_bytes(data.draw(laid_out(rows))), asked) == expected(rows, asked, sent)


@settings(ANY, max_examples=100)
@given(asked=batches(), tabs=st.integers(2, 4), data=st.data())
def test_of_several_tabs_of_a_workbook_no_good_row_is_lost_and_no_bad_one_counts(asked, tabs, data):
    sent = xlsx_table(write_xlsx(asked, labels=LABELS))[1:]
    rows = data.draw(returned(asked, sent))
    dealt: list[list[Touched]] = [[] for _ in range(tabs)]
    for row in rows:
        dealt[data.draw(st.integers(0, tabs - 1))].append(row)
    notes = [["call Ada about these"], [sent[0][ID], sent[0][REQUEST], "accept"]]
    first, *others = (data.draw(laid_out(part)) for part in dealt)
    book = xlsx_bytes(first, notes=notes, **{f"tab {at}": table for at, table in enumerate(others)})
    assert found(book, asked) == expected(rows, asked, sent)
    rejected = judged(book, asked).rejected
    assert len({(one.tab, one.row) for one in rejected}) == len(rejected)


@settings(ANY, max_examples=100)
@given(asked=batches(), flat=st.booleans(), data=st.data())
def test_of_a_label_studio_export_no_good_row_is_lost_and_no_bad_one_counts(asked, flat, data):
    tasks = [one["data"] for one in json.loads(write_label_studio(asked, labels=LABELS))]
    names = dict(zip(tasks[0], range(6), strict=True))
    sent = [[*task.values(), "", "", "", ""] for task in tasks]
    rows = data.draw(returned(asked, sent))
    assume(rows)
    export: list[dict[str, object]] = []
    for number, row in enumerate(rows):
        task = {name: row.cells[at] for name, at in names.items()}
        said = annotation(7, row.cells[DECISION], row.cells[ANSWER])
        plain = {one["from_name"]: next(iter(one["value"].values()))[0] for one in said["result"]}
        export.append(task | plain | {"id": number} if flat else {"data": task, "annotations": [said]})
    assert found(json.dumps(export).encode(), asked) == expected(rows, asked, sent)


@ANY
@given(texts=st.lists(TEXTS, min_size=2, max_size=5, unique=True), data=st.data())
def test_whatever_an_old_code_page_destroyed_no_decision_counts_for_another_request(texts: list[str], data):
    asked = [question(number, text, LABELS[number % 3]) for number, text in enumerate(texts)]
    table = filled(asked, *[("accept", "")] * len(asked))
    moved = data.draw(st.permutations([row[REQUEST] for row in table[1:]]))
    for row, text in zip(table[1:], moved, strict=True):
        row[REQUEST] = text
    back = judged(csv_bytes(table, encoding="cp1252"), asked)
    for one in back.decided:
        stands, own = moved[int(one.id[-1])], table[int(one.id[-1]) + 1]
        assert own[ID] == one.id
        assert read(one_of(asked, one.id).text) in (
            read(stands),
            read(stands.encode("cp1252", "replace").decode("cp1252")),
        )


def one_of(asked: list[Question], id: str) -> Question:
    return next(one for one in asked if one.id == id)


def read(text: str) -> str:
    """A text as a person reads it."""
    plain = unicodedata.normalize("NFC", re.sub("[\x00-\x1f\x7f-\x9f\ufffe\uffff]", " ", text))
    return " ".join(re.sub(r"(^|[;\s])([\s\"]*)'+", r"\1\2", plain).split())
