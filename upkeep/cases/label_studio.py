"""How does Label Studio (1.x) take cases in, show them, and tell what people said?

Written from the formats of its import, its labelling interface, and its exports JSON and JSON-MIN.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from xml.etree import ElementTree

from pydantic import BaseModel, ValidationError

from upkeep.cases.spreadsheet import clean
from upkeep.errors import SheetError

DATA = ID, WHEN, REQUEST, OFFERED, WHY, GIVEN = "case_id", "when", "request", "offered", "why", "given"
"""A task's data. JSON-MIN writes them beside the task's own id, so ours is not called `id`."""
CONTROLS = DECISION, ANSWER, NEW_ANSWER, COMMENT = "decision", "answer", "new_answer", "comment"
SHOWN = {
    WHEN: "When",
    REQUEST: "Request",
    OFFERED: "Answer said to be right",
    WHY: "Asked because",
    GIVEN: "The model answered",
}


class Annotation(NamedTuple):
    """What one person said about a task, by control; nothing said where nobody looked at it. The first task is 1.

    `fault` is why a task cannot be read: its comment is then all that stands there.
    """

    task: int
    data: dict[str, str]
    said: dict[str, str]
    by: str
    at: datetime | None
    fault: str = ""


class _Region(BaseModel):
    from_name: str = ""
    value: Any = None


class _Person(BaseModel):
    id: int | None = None
    email: str = ""


class _Annotation(BaseModel):
    result: list[_Region] | None = None
    completed_by: int | str | _Person | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    was_cancelled: bool | None = False


class _Task(BaseModel):
    data: dict[str, Any]
    annotations: list[_Annotation] = []


def write_tasks(cases: Sequence[Mapping[str, str]], *, labels: Sequence[str]) -> bytes:
    """An import file: a JSON list of tasks, one for each case, its answer filled in beforehand."""
    tasks = [
        {
            "data": {name: clean(text) for name, text in case.items()},
            "predictions": [{"model_version": "outcomes", "result": [_filled_in(clean(case[OFFERED]), labels)]}],
        }
        for case in cases
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1).encode()


def write_config(decisions: Sequence[str], labels: Sequence[str]) -> str:
    """The labelling interface (XML): what is known of a case, the decision, the answer and a comment."""
    view = ElementTree.Element("View")
    for name, title in SHOWN.items():
        ElementTree.SubElement(view, "Header", value=title)
        ElementTree.SubElement(view, "Text", name=name, value=f"${name}")
    _choices(view, DECISION, "Decision", decisions, choice="single-radio", required="true")
    if labels:
        _choices(view, ANSWER, "Right answer", labels, choice="single", layout="select")
        _text_area(view, NEW_ANSWER, "Right answer, if the list does not have it", rows="1")
    else:
        _text_area(view, ANSWER, "Right answer", rows="6")
    _text_area(view, COMMENT, "Comment", rows="2")
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode")


def read_tasks(text: str) -> list[Annotation]:
    """What people said, from a JSON or JSON-MIN export; a task that cannot be read says why, and the others count.

    Raises SheetError where it is no export of cases sent out, or no task can be read.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise SheetError(f"not JSON: {exc}") from exc
    if not isinstance(found, list) or not any(map(_has_case, found)):
        raise SheetError(f"JSON, but no list of tasks with {ID!r} in their data, as a Label Studio export of cases has")
    numbers: dict[Any, int] = {}  # JSON-MIN has a record for each annotation, told apart by the task's id
    said: list[Annotation] = []
    for place, one in enumerate(found, start=1):
        flat = isinstance(one, dict) and "data" not in one
        number = numbers.setdefault(str(one["id"]), place) if flat and isinstance(one.get("id"), str | int) else place
        said += _annotations(number, _unflattened(one) if flat else one)
    if all(one.fault for one in said):
        raise SheetError(f"task {said[0].task}: {said[0].fault}")
    return said


def _has_case(task: Any) -> bool:
    data = task.get("data", task) if isinstance(task, dict) else None
    return isinstance(data, dict) and ID in data


def _annotations(number: int, found: Any) -> list[Annotation]:
    try:
        return _told(number, _Task.model_validate(found))
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        return [_unreadable(number, found, f"{where}: {first['msg']}")]
    except RecursionError:
        return [_unreadable(number, found, "lists in lists without end")]


def _unreadable(number: int, found: Any, why: str) -> Annotation:
    data = found.get("data") if isinstance(found, dict) else None
    known = data if isinstance(data, dict) else {}
    texts = {name: clean(text) for name in DATA if isinstance(text := known.get(name), str)}
    stands_there = ""
    with suppress(RecursionError):
        stands_there = clean(json.dumps(found, ensure_ascii=False))
    fault = clean(f"{why}, expected a Label Studio 1.x export")
    return Annotation(number, texts, {COMMENT: stands_there}, "", None, fault)


def _told(number: int, task: _Task) -> list[Annotation]:
    data = {name: _plain(value) for name, value in task.data.items()}
    said = [
        Annotation(number, data, controls, _who(one.completed_by), _when(one.updated_at or one.created_at))
        for one in task.annotations
        if not one.was_cancelled and any((controls := _said(one.result or [])).values())
    ]
    return said or [Annotation(number, data, {}, "", None)]


def _unflattened(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of JSON-MIN as a task with one annotation."""
    annotation = {
        "result": [{"from_name": name, "value": record[name]} for name in CONTROLS if name in record],
        "completed_by": record.get("annotator"),
        "created_at": record.get("created_at"),
        "updated_at": record.get("updated_at"),
    }
    return {"data": record, "annotations": [annotation]}


def _said(regions: Sequence[_Region]) -> dict[str, str]:
    said: dict[str, list[str]] = {name: [] for name in CONTROLS}
    for one in regions:
        if one.from_name in said:
            said[one.from_name].append(_plain(one.value))
    return {name: "\n".join(filter(None, texts)) for name, texts in said.items()}


def _plain(value: Any) -> str:
    """A value's text: JSON has {"choices": [...]} or {"text": [...]}, JSON-MIN the bare text where it is one."""
    if isinstance(value, Mapping):
        return _plain(value.get("choices") or value.get("text"))
    if isinstance(value, list):
        return "\n".join(_plain(one) for one in value)
    return "" if value is None else clean(str(value))


def _who(found: int | str | _Person | None) -> str:
    if isinstance(found, _Person):
        return clean(found.email) or _who(found.id)
    return f"user {found}" if isinstance(found, int) else clean(found or "")


def _when(found: datetime | None) -> datetime | None:
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def _filled_in(answer: str, labels: Sequence[str]) -> dict[str, Any]:
    name, kind = (ANSWER, "choices") if answer in labels else (NEW_ANSWER if labels else ANSWER, "textarea")
    value = {"choices" if kind == "choices" else "text": [answer]}
    return {"from_name": name, "to_name": REQUEST, "type": kind, "value": value}


def _choices(view: ElementTree.Element, name: str, title: str, offered: Sequence[str], **how: str) -> None:
    ElementTree.SubElement(view, "Header", value=title)
    choices = ElementTree.SubElement(view, "Choices", {"name": name, "toName": REQUEST, **how})
    for value in offered:
        ElementTree.SubElement(choices, "Choice", value=clean(value))


def _text_area(view: ElementTree.Element, name: str, title: str, *, rows: str) -> None:
    ElementTree.SubElement(view, "Header", value=title)
    ElementTree.SubElement(view, "TextArea", name=name, toName=REQUEST, rows=rows, maxSubmissions="1", editable="true")
