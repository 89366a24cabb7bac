r"""Which rows of a raw file are plainly fine, said in SQL?

A condition here may doubt a good row, which then goes to `upkeep.log.lines.judge_line`, but must not accept a bad one,
nor one whose values Python would read differently. The oddities that DuckDB's JSON reader lets through are therefore
doubted: commas at the end, NaN, doubled keys, numbers out of range, deep nesting; and texts that need their
backslashes undone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from upkeep.conversations import MARK
from upkeep.log.entries import LogMapping, OutcomeSource, as_utc
from upkeep.log.lines import Kind, Row

GLOB = re.compile(r"[*?[]")
"""The signs by which one name stands for several files in DuckDB."""


class Shape(StrEnum):
    """What a field has to look like."""

    TEXT = "text"
    ANSWER = "text without spaces around it in NFC, or null"
    INPUT = "text that is kept of some"
    TIME = "time"
    SHARE = "0..1"
    LATENCY = "milliseconds or null"
    FLAG = "flag"
    FLAG_OR_NULL = "flag or null"
    OBJECT = "object or null, not kept"


SHAPES = {
    "log/predictions": {
        "id": Shape.TEXT,
        "timestamp": Shape.TIME,
        "input": Shape.INPUT,
        "output": Shape.ANSWER,
        "confidence": Shape.SHARE,
        "model_version": Shape.TEXT,
        "automatic": Shape.FLAG,
        "latency_ms": Shape.LATENCY,
        "metadata": Shape.OBJECT,
    },
    "log/outcomes": {
        "prediction_id": Shape.TEXT,
        "timestamp": Shape.TIME,
        "source": Shape.TEXT,
        "answer": Shape.ANSWER,
        "correct": Shape.FLAG_OR_NULL,
    },
}
ALSO = {
    "log/predictions": "(output IS NOT NULL OR NOT automatic)",
    "log/outcomes": f"(answer IS NOT NULL OR correct IS NOT NULL) AND source IN {tuple(map(str, OutcomeSource))}",
}
"""What has to hold between the fields of a row, by folder."""
TYPES = {
    Shape.TEXT: "VARCHAR",
    Shape.ANSWER: "VARCHAR",
    Shape.INPUT: "VARCHAR",
    Shape.TIME: "BIGINT",
    Shape.SHARE: "DOUBLE",
    Shape.LATENCY: "DOUBLE",
    Shape.FLAG: "BOOLEAN",
    Shape.FLAG_OR_NULL: "BOOLEAN",
}
READ_AT = {"day": "INTEGER", "file": "INTEGER", "line": "BIGINT"}
"""The columns that say where a row stands, in the order in which rows count as read."""
ALL = "f" * 32
"""No lot is higher."""
OPTIONAL = {Shape.ANSWER, Shape.LATENCY, Shape.FLAG_OR_NULL, Shape.OBJECT}

VISIBLE = r'[^\x00-\x20\x7f-\x{a0}\x{1680}\x{2000}-\x{206f}\x{3000}"\\]'
"""A character that is no white space to Python, nor a quote or a backslash: these JSON would have to undo."""
_MOMENT = (
    r"\d{4}-\d\d-\d\d[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{3}|\.\d{6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)"  # as RE2 has it
)
_ODD = r",\s*[}\]]|[:\[,]\s*-?(?i:nan|inf|infinity)\s*[,}\]]|[0-9][eE][+-]?[0-9]{3}|[0-9]{300}"
_SHORT = 800
"""A line of fewer bytes cannot nest so deep that Python gives up, which takes longer to ask of a longer one."""
_DEEP = 100
_SHORT_VALUE = r"true|false|(0|-?[1-9][0-9]{0,6})(\.0)?|-?[1-9][0-9]{7,14}"
"""What SQL and Python read alike: the value is what stands before the point. A float of more digits may be rounded."""
_PATH = re.compile(r"[\w -]+(\.[\w -]+)*")
_WHOLE = {sign + size for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")}
_NUMBERS = _WHOLE | {"FLOAT", "DOUBLE"}
_READ_DIFFERENTLY = re.compile(r"MAP|TIME|DATE|INTERVAL|DECIMAL|BLOB|HUGEINT|UUID|\[")


def columns(kind: Kind[Row], by: Sequence[str] = ()) -> dict[str, str]:
    """The columns that are kept of a row and their types in DuckDB; one more of a prediction for each facet in `by`."""
    kept = {_name(field): TYPES[shape] for field, shape in SHAPES[kind.folder].items() if shape in TYPES}
    return kept | {name: "VARCHAR" for name in facets(kind, by)}


def facets(kind: Kind[Row], by: Sequence[str]) -> dict[str, str]:
    """The metadata keys in `by` under the names of their columns."""
    return {f"facet_{at}": key for at, key in enumerate(by)} if "metadata" in kind.fields else {}


def from_json(kind: Kind[Row], mapping: LogMapping, day: date, texts: str) -> str | None:
    """The query of (line, kept columns, fine) over a table `batch` of (line, content); None where SQL cannot tell.

    The texts are kept of rows whose lot is below `texts`.
    """
    theirs: dict[str, str] = kind.paths(mapping)
    if not all(_PATH.fullmatch(path) for path in (*theirs.values(), *mapping.by)) or _hidden(kind, mapping):
        return None
    # a key that has the dots itself comes first; it may be null
    found_at = {field: [f'$."{path}"', _pointer(path.split("."))] for field, path in theirs.items()}
    paths = list(dict.fromkeys(path for both in found_at.values() for path in both))
    raws = [
        f'coalesce({", ".join(f"v[{paths.index(path) + 1}]" for path in dict.fromkeys(both))}, NULL) AS "raw {field}"'
        for field, both in found_at.items()
    ]
    found: dict[str, _Field] = {
        field: _from_raw(shape, field, mapping.values, day) for field, shape in SHAPES[kind.folder].items()
    }
    found |= _facets(kind, mapping, '"raw metadata"')
    brackets = "length(content) - length(translate(content, '[{', ''))"
    sound = [
        "j IS NOT NULL",
        f"NOT regexp_matches(content, {quoted(_ODD)})",
        f"CASE WHEN strlen(content) < {_SHORT} THEN true ELSE {brackets} < {_DEEP} END",
        *_no_doubled_keys(theirs.values()),
    ]
    listed = ", ".join(map(quoted, paths))
    return f"""
        WITH parsed AS (SELECT line, content, try_cast(content AS JSON) AS j FROM batch),
        dug AS (SELECT line, json_extract(j, [{listed}])::VARCHAR[] AS v, {" AND ".join(sound)} AS sound FROM parsed),
        raw AS (SELECT line, sound, {", ".join(raws)} FROM dug)
        {_judged(kind, found, "raw", texts, line="line", sound="sound", escaped=True)}"""


def from_parquet(kind: Kind[Row], mapping: LogMapping, day: date, texts: str, types: Mapping[str, str]) -> str | None:
    """The query of (line, kept columns, fine) over a relation `file` with these columns, or None."""
    theirs: dict[str, str] = kind.paths(mapping)
    if not all(_PATH.fullmatch(key) for key in mapping.by) or _hidden(kind, mapping):
        return None
    found: dict[str, _Field] = {}
    for field, shape in SHAPES[kind.folder].items():
        path = theirs[field]
        if path not in types and path.partition(".")[0] in types:
            return None
        column = _quoted_name(path) if path in types else None
        one = _from_column(shape, column, types.get(path, ""), field=field, tables=mapping.values, day=day)
        if one is None:
            return None
        found[field] = one
    column = theirs.get("metadata", "")
    raw = f"to_json({_quoted_name(column)})::VARCHAR" if column in types else "NULL::VARCHAR"
    return _judged(kind, found | _facets(kind, mapping, raw), "file", texts, line="file_row_number + 1")


def _hidden(kind: Kind[Row], mapping: LogMapping) -> bool:
    """Are there facets in metadata that would first have to be translated?"""
    return bool(facets(kind, mapping.by)) and "metadata" in mapping.values


def _facets(kind: Kind[Row], mapping: LogMapping, raw: str) -> dict[str, _Field]:
    """The metadata keys that are kept, as `upkeep.log.entries.facet` has them, from the metadata's JSON text."""
    found: dict[str, _Field] = {}
    whole = f"CASE WHEN {raw} LIKE '{{%' THEN {raw} END"
    single = f"coalesce(len(json_keys({whole})) = len(list_distinct(json_keys({whole}))), true)"
    for name, key in facets(kind, mapping.by).items():
        text = f"(json_extract({whole}, {quoted(_pointer([key]))})::VARCHAR)"  # `::VARCHAR[1]` would be an array of one
        short = f"regexp_full_match({text}, {quoted(_SHORT_VALUE)})"
        value = f"""CASE WHEN {text} LIKE '"%' THEN {text}[2:-2] WHEN {short} THEN split_part({text}, '.', 1) END"""
        none = f"{text} IS NULL OR {text} = 'null' OR {text}[1] IN ('{{', '[')"
        found[name] = _Field(value, rf"""{single} AND ({none} OR {short} OR regexp_full_match({text}, '"[^\\]*"'))""")
    return found


def _quoted_name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _pointer(parts: Sequence[str]) -> str:
    return "".join(["$", *(f'."{part}"' for part in parts)])


def _no_doubled_keys(paths: Iterable[str]) -> list[str]:
    """Of a doubled key Python takes the last and DuckDB the first."""
    split = [path.split(".") for path in paths]
    objects = {_pointer(parts[:depth]) for parts in split for depth in range(len(parts))}
    keys = [f"json_keys(j, {quoted(path)})" for path in sorted(objects)]
    return [f"coalesce(len({found}) = len(list_distinct({found})), true)" for found in keys]


class _Field(NamedTuple):
    """SQL for a field's value and for whether it is plainly fine."""

    value: str
    fine: str


def _judged(
    kind: Kind[Row],
    found: Mapping[str, _Field],
    source: str,
    texts: str,
    *,
    line: str,
    sound: str = "true",
    escaped: bool = False,
) -> str:
    kept = {
        _name(field): one.value for field, one in found.items() if SHAPES[kind.folder].get(field, Shape.TEXT) in TYPES
    }
    values = ", ".join(f"{value} AS {name}" for name, value in kept.items())
    fine = " AND ".join(f"({one.fine})" for one in found.values())
    shown, also = dict.fromkeys(kept, ""), ALSO[kind.folder]
    if "input" in kept:
        shown["input"] = f"CASE WHEN {is_sampled(texts)} THEN input END AS "
        odd = f"contains(input, {quoted(MARK)})"  # see upkeep.conversations
        if escaped:  # whose backslashes have to be undone
            odd += r" OR contains(input, '\')"
        also += f" AND NOT CASE WHEN {odd} THEN {is_sampled(texts)} ELSE false END"  # the lots are what takes long
    names = ", ".join(f"{value}{name}" for name, value in shown.items())
    return f"""
        SELECT line, {names}, coalesce(fine AND {also}, false) AS fine
        FROM (SELECT {line} AS line, {values}, {sound} AND {fine} AS fine FROM {source})"""


def is_sampled(texts: str) -> str:
    """Is a row's lot (`upkeep.log.entries.draw_order`) below `texts`, in SQL?"""
    return "true" if texts > ALL else f"md5(id) < {quoted(texts)}"


def _from_raw(shape: Shape, field: str, tables: Mapping[str, Mapping[str, object]], day: date) -> _Field:
    """A field whose JSON text stands in the column `raw <field>`."""
    raw, known = f'"raw {field}"', "true"
    if field in tables:
        # only what has one spelling can be looked up by its spelling
        known = f"""regexp_full_match(coalesce({raw}, 'null'), '"[^\\\\]*"|true|false|null|0|-?[1-9][0-9]{{0,14}}')"""
        raw = _translated(raw, tables[field])
    value, fine = _json_rule(shape, raw, day)
    if shape in OPTIONAL:
        fine = f"{raw} IS NULL OR {raw} = 'null' OR {fine}"
    return _Field(value, f"({known}) AND ({fine})")


def _json_rule(shape: Shape, raw: str, day: date) -> _Field:
    text = f"""CASE WHEN {raw} LIKE '"%' THEN {raw}[2:-2] END"""
    match shape:
        case Shape.TEXT | Shape.ANSWER | Shape.INPUT:
            fine = {
                Shape.TEXT: rf"""regexp_full_match({raw}, '"[^\\]*{VISIBLE}[^\\]*"')""",
                Shape.ANSWER: f"NOT contains({raw}, '\\') AND {_bare(text)}",
                Shape.INPUT: rf"""regexp_matches({raw}, '^"[^\\]*{VISIBLE}')""",
            }
            return _Field(text, fine[shape])
        case Shape.TIME:
            return _moment(text, day)
        case Shape.SHARE | Shape.LATENCY:
            number = f"CASE WHEN {raw} SIMILAR TO '[0-9].*' THEN try_cast({raw} AS DOUBLE) END"
            return _Field(number, _between(number, shape))
        case Shape.FLAG | Shape.FLAG_OR_NULL:
            return _Field(
                f"CASE {raw} WHEN 'true' THEN true WHEN 'false' THEN false END", f"{raw} IN ('true', 'false')"
            )
    return _Field(raw, f"{raw} LIKE '{{%'")


def _from_column(
    shape: Shape, column: str | None, type: str, *, field: str, tables: Mapping[str, Mapping[str, object]], day: date
) -> _Field | None:
    """A field that is a column of a Parquet file; None where Python may read other values than DuckDB."""
    if field in tables:
        if column is not None and type not in {"VARCHAR", "BOOLEAN", *_WHOLE}:
            return None
        one = _from_raw(shape, field, tables, day)
        raw = "NULL::VARCHAR" if column is None else f"to_json({column})::VARCHAR"
        return _Field(*(part.replace(f'"raw {field}"', raw) for part in one))
    if column is None:
        return _Field(f"NULL::{TYPES.get(shape, 'VARCHAR')}", "true") if shape in OPTIONAL else None
    rule = _column_rule(shape, column, type, day)
    return _Field(rule.value, f"{column} IS NULL OR {rule.fine}") if rule and shape in OPTIONAL else rule


def _column_rule(shape: Shape, column: str, type: str, day: date) -> _Field | None:
    rule: _Field | None = None
    if shape is Shape.TIME:
        if type == "TIMESTAMP WITH TIME ZONE":
            rule = _on_day(f"epoch_us({column})", day)
        elif type == "VARCHAR":
            rule = _moment(column, day)
    elif shape in (Shape.SHARE, Shape.LATENCY) and type in _NUMBERS:
        rule = _Field(f"{column}::DOUBLE", _between(f"{column}::DOUBLE", shape))
    elif shape in (Shape.FLAG, Shape.FLAG_OR_NULL) and type == "BOOLEAN":
        rule = _Field(column, f"{column} IS NOT NULL")
    elif shape is Shape.ANSWER and type == "VARCHAR":
        rule = _Field(column, _bare(column))
    elif shape in (Shape.TEXT, Shape.INPUT) and type == "VARCHAR":
        rule = _Field(column, _visible(column))
    elif shape is Shape.OBJECT and type.startswith("STRUCT") and not _READ_DIFFERENTLY.search(type):
        rule = _Field(column, "true")
    return rule


def _visible(text: str) -> str:
    """Is a text more than white space? What begins with a visible ASCII character is; of the others every one is asked.

    A comparison takes a tenth of the time that a regular expression takes.
    """
    return f"CASE WHEN {text} >= '!' AND {text} < '~~' THEN true ELSE regexp_matches({text}, '{VISIBLE}') END"


def _bare(text: str) -> str:
    """Does a text begin and end with a visible character, and is it in NFC? Of ASCII that takes two comparisons."""
    ends = rf"regexp_full_match({text}, '(?s){VISIBLE}(.*{VISIBLE})?')"
    ascii = f"strlen({text}) = length({text}) AND {text} >= '!' AND ({text})[-1] >= '!'"
    return f"CASE WHEN {ascii} THEN true ELSE {ends} AND nfc_normalize({text}) = {text} END"


def _moment(text: str, day: date) -> _Field:
    at = _on_day(f"epoch_us(try_cast({text} AS TIMESTAMPTZ))", day)
    return _Field(at.value, f"regexp_full_match({text}, {quoted(_MOMENT)}) AND {at.fine}")


def _on_day(at: str, day: date) -> _Field:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return _Field(at, f"{at} >= {micros(start)} AND {at} < {micros(start + timedelta(days=1))}")


def _between(number: str, shape: Shape) -> str:
    return f"{number} >= 0 AND {number} <= {1 if shape is Shape.SHARE else '1e300'}"


def _translated(raw: str, table: Mapping[str, object]) -> str:
    """The JSON text of our value for theirs; a table's key is a text of theirs or the spelling of another value."""
    cases = []
    for theirs, ours in table.items():
        value = quoted(json.dumps(ours, ensure_ascii=False))
        text = json.dumps(theirs, ensure_ascii=False)
        spelled = [text] if theirs.startswith('"') else [text, theirs]
        cases += [f"WHEN {quoted(one)} THEN {value}" for one in spelled]
    return f"(CASE coalesce({raw}, 'null') {' '.join(cases)} ELSE {raw} END)" if cases else raw


def quoted(text: str) -> str:
    """A text as SQL spells it."""
    return "'" + text.replace("'", "''") + "'"


def parquet_rows(*paths: Path, options: str = "") -> str:
    """The rows of these Parquet files as SQL reads them: a `*`, `?` or `[` in a name stands for itself."""
    names = (quoted(GLOB.sub(r"[\g<0>]", str(path))) for path in paths)
    return f"read_parquet([{', '.join(names)}]{options})"


def micros(moment: datetime) -> int:
    """Microseconds since 1970 in UTC."""
    return (as_utc(moment) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _name(field: str) -> str:
    return "moment" if field == "timestamp" else field
