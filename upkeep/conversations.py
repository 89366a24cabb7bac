"""What was said before a request? A conversation is kept as one text, which whatever keeps or compares texts can hold.

Each turn of it is a line `\N{SYMBOL FOR RECORD SEPARATOR}user: ...` or `\N{SYMBOL FOR RECORD SEPARATOR}assistant: ...`;
any other text is what one user said. The mark is taken out of what people write: nobody can put words into the
assistant's mouth. What the assistant says before anybody has asked is not kept: a greeting is the same for all, and by
it all requests would be alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import dropwhile, groupby
from typing import NamedTuple

MARK = "\N{SYMBOL FOR RECORD SEPARATOR}"
WANTED = "a non-empty string, or messages with role and content, the last of them a user's"
LEFT_OUT = ("system", "developer")
"""Roles of messages that are no part of a request: the client's config says what the model is told."""


class Role(StrEnum):
    """Who said something."""

    USER = "user"
    ASSISTANT = "assistant"


class Turn(NamedTuple):
    """What one of the two said before the other spoke."""

    role: Role
    said: str


def request_of(found: object) -> str:
    """The text that a request is kept as; `found` is a text or a list of chat messages, as JSON has it.

    Raises ValueError, saying what is wanted, for anything else.
    """
    if isinstance(found, str) and found.strip():
        return found.replace(MARK, " ")
    if not isinstance(found, list):
        raise ValueError(WANTED)
    said = [_turn(one) for one in found if not (isinstance(one, Mapping) and one.get("role") in LEFT_OUT)]
    if not said or said[-1].role is not Role.USER:
        raise ValueError(WANTED)
    return as_text(said)


def kept_request(found: object) -> str:
    """The same of a request in a store, where a conversation may stand as the text that it is kept as."""
    return found if isinstance(found, str) and found.strip() else request_of(found)


def as_text(said: Iterable[Turn]) -> str:
    """A conversation as one text, from the first question on.

    What a role says in several messages is one turn, a single turn is what was said.
    """
    merged = _merged(said)
    if len(merged) == 1:
        return merged[0].said
    return "\n".join(f"{MARK}{role}: {words}" for role, words in merged)


def turns(request: str) -> list[Turn]:
    """What was said, in order: the first turn is a user's, and so is the last, which is to be answered."""
    if not request.startswith(MARK):
        return [Turn(Role.USER, request)]
    parts = [part.partition(": ") for part in request.split(MARK)[1:]]
    roles = [role for role, _, _ in parts]
    if roles[-1] != Role.USER or not set(roles) <= set(Role):  # somebody has written in it
        return [Turn(Role.USER, request.replace(MARK, " "))]
    return _merged(Turn(Role(role), words.strip()) for role, _, words in parts)


def asked(request: str) -> str:
    """What the user has said in it, without what was answered, a turn below the other."""
    return "\n".join(one.said for one in turns(request) if one.role is Role.USER)


def messages(request: str) -> str | list[dict[str, str]]:
    """A request as a log has it: a text, or the messages of a conversation."""
    said = turns(request)
    return said[0].said if len(said) == 1 else [{"role": role.value, "content": words} for role, words in said]


def shortened(said: Sequence[Turn]) -> list[Turn]:
    """A conversation without its first question and what was answered to it."""
    return list(said[2:])


def _merged(said: Iterable[Turn]) -> list[Turn]:
    asked = dropwhile(lambda one: one.role is Role.ASSISTANT, said)
    grouped = groupby(asked, key=lambda one: one.role)
    return [Turn(role, "\n".join(one.said for one in some)) for role, some in grouped]


def _turn(message: object) -> Turn:
    if not isinstance(message, Mapping):
        raise ValueError(WANTED)
    role, content = message.get("role"), message.get("content")
    words = content.replace(MARK, " ").strip() if isinstance(content, str) else ""
    if role not in list(Role) or not words:
        raise ValueError(WANTED)
    return Turn(Role(role), words)
