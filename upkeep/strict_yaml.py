"""How is a YAML file read so that nothing in it is overlooked?

Unknown keys, and keys that stand there twice, are errors, and an error names the file, the key, what was found and what
is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from upkeep.errors import ConfigError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where it is there: every task of a flow reads the configs anew."""
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="lower case, digits and dashes")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _known(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as exc:
        raise ValueError("an IANA time zone such as Europe/Berlin") from exc
    return zone


Zone = Annotated[str, AfterValidator(_known)]

A_LIST, A_MAPPING = "a list", "a mapping of keys to values"
WRITTEN = {"tuple_type": A_LIST, "dict_type": A_MAPPING, "mapping_type": A_MAPPING, "model_type": A_MAPPING}
"""What pydantic wants, by its kind of error, in YAML's words where its own are Python's."""


class Strict(BaseModel):
    """Unknown keys are errors; values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=Strict)


def named(path: Path, model: Model, key: str, value: str) -> Model:
    """The model, whose `value` has to be the file's name. Raises ConfigError."""
    if value != path.stem:
        raise ConfigError(f"{path}: {key} is {value!r}, expected {path.stem!r} as in the file's name")
    return model


def load(path: Path, kind: type[Model]) -> Model:
    """Read a file. Raises ConfigError; a missing one lists what there is."""
    return validated(path, read(path), kind)


def names(folder: Path) -> list[str]:
    """What the YAML files of a folder are called, in order; a .yml is one of them, so that `read` can refuse it."""
    return sorted({path.stem for ending in ("yaml", "yml") for path in folder.glob(f"*.{ending}")})


def read(path: Path) -> dict[str, Any]:
    """A file's mapping of keys to values. Raises ConfigError; a missing one lists what there is."""
    other = path.with_suffix(".yml")
    if other.is_file():
        raise ConfigError(f"{other}: found a file that ends in .yml, expected {path.name}; rename it")
    if not path.is_file():
        raise ConfigError(f"{path}: no such file, expected one of {names(path.parent)}")
    try:
        raw = _parsed(path, path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as exc:  # not UTF-8, or a day that no calendar has
        raise ConfigError(f"{path}: not YAML: {exc}") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: found {type(raw).__name__}, expected {A_MAPPING}")
    return raw


def _parsed(path: Path, text: str) -> Any:
    """What is written in YAML. Raises ConfigError where a mapping has a key twice, of which YAML keeps the last."""
    loader = LOADER(text)
    try:
        root = loader.get_single_node()
        for mapping in _mappings(root):
            lines: dict[tuple[str, str], int] = {}
            for key, _ in mapping.value:
                line, before = key.start_mark.line + 1, lines.get((key.tag, str(key.value)))
                if before:
                    raise ConfigError(
                        f"{path} line {line}: {key.value}: found again after line {before}, expected once"
                    )
                lines[key.tag, str(key.value)] = line
        return None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


def _mappings(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            waiting += [one for pair in node.value for one in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def validated(path: Path, raw: Mapping[str, Any], kind: type[Model]) -> Model:
    """What was read from a file, checked. Raises ConfigError with a line for each fault."""
    try:
        return kind.model_validate(raw)
    except ValidationError as exc:
        lines = [_explain(error, kind) for error in exc.errors()]
        raise ConfigError("\n".join(f"{path}: {line}" for line in lines)) from exc


def _explain(error: Any, kind: type[Strict]) -> str:
    path, section = _place(error["loc"], kind)
    key, wanted = ".".join(path), WRITTEN.get(error["type"], error["msg"].removeprefix("Value error, "))
    if error["type"] == "value_error" and isinstance(error["input"], Mapping):  # a rule over several keys names them
        return f"{key}: {wanted}" if key else wanted
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key, expected one of {sorted(section.model_fields)}"
    if error["type"] == "missing":
        return f"{key}: missing, expected a value"
    field = section.model_fields.get(path[-1]) if path else None
    meant = f" ({field.description})" if field and field.description else ""
    return f"{key}: found {error['input']!r}, expected: {wanted}{meant}"


def _place(loc: Sequence[str | int], kind: type[Strict]) -> tuple[list[str], type[Strict]]:
    """The keys as they stand in the file, and the section the last of them belongs to."""
    path: list[str] = []
    section, ways = kind, [kind]
    for part in loc:
        if len(ways) > 1:  # pydantic puts in between which of several kinds it took the value for
            section = next(way for way in ways if part in way.model_fields)
            ways = [section]
            continue
        section = ways[0] if ways else section
        path.append(str(part))
        field = section.model_fields.get(str(part))
        ways = _sections(field.annotation) if field else ways
    return path, section


def _sections(annotation: Any) -> list[type[Strict]]:
    """The kinds of section that a key's value may be or hold."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections(part)]
