"""What are the log's fields and values called where a client writes them?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from upkeep.log.entries import OutcomeSource
from upkeep.strict_yaml import Strict

FLAGS = ("automatic", "correct")
"""The fields of the log that are true or false."""


class LogMap(Strict):
    """Where the client's log uses other names: our field -> theirs, and our value for theirs."""

    predictions: Mapping[str, str] = Field(default_factory=dict)
    outcomes: Mapping[str, str] = Field(default_factory=dict)
    values: Mapping[str, Mapping[str, bool | str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _values_are_of_their_fields(self) -> Self:
        sources = [*map(str, OutcomeSource)]
        for name, theirs, ours in [(name, *pair) for name, table in self.values.items() for pair in table.items()]:
            if name in FLAGS:
                fits, wanted = isinstance(ours, bool), "true or false"
            elif name == "source":
                fits, wanted = ours in sources, f"one of {sources}"
            else:
                fits, wanted = isinstance(ours, str), "a text"
            if not fits:
                raise ValueError(f"values.{name}.{theirs} is {ours!r}, expected {wanted}")
        return self
