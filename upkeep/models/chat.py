"""How do a request and its answer become the tokens of a chat?

By the base model's own chat template. Prompt and answer are turned into tokens apart from each other, so that a model
is taught on the very tokens that it gets in service. The tokens that set turns apart are the template's alone: where
people write them, they are broken up.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from upkeep.conversations import Role, Turn, shortened, turns
from upkeep.errors import BaseModelError

NOT_LEARNED = -100
"""The label of a token that adds nothing to the loss."""
PROBE = "[the answer]"
"""Stands in a template for an answer, to see what comes after one."""
TODAY = datetime(2026, 1, 1, tzinfo=UTC)
"""What a template is told that asks for the date: with the real one a model would be taught otherwise each day."""


class Prompt(NamedTuple):
    """What a model reads of a request, and whether the request was cut to fit."""

    tokens: list[int]
    cut: bool


class Lesson(NamedTuple):
    """A request with its answer, which ends where a model is to stop, and whether either was cut."""

    prompt: list[int]
    answer: list[int]
    request_cut: bool
    answer_cut: bool

    @property
    def size(self) -> int:
        """How many tokens it is."""
        return len(self.prompt) + len(self.answer)


class Pack(NamedTuple):
    """Lessons in a row as one sequence: the model sees none from within another, as their positions begin anew.

    All have the length of the pack; a label is its token where that is learned.
    """

    tokens: list[int]
    positions: list[int]
    labels: list[int]


@dataclass(frozen=True)
class Chat:
    """A tokenizer with a chat template, and how much a request and an answer may take of it."""

    tokenizer: Any
    max_tokens: int
    max_new_tokens: int
    system_prompt: str | None = None

    def prompt(self, request: str) -> Prompt:
        """The tokens up to where the answer begins.

        Of a conversation that is too long the oldest turns are left out, of a single turn the end. Raises
        BaseModelError where the template leaves no room for any of it.
        """
        said = whole = turns(request)
        tokens = self._tokens(self._rendered(said))
        while len(tokens) > self.max_tokens and len(said) > 1:
            said = shortened(said)
            tokens = self._tokens(self._rendered(said))
        if len(tokens) <= self.max_tokens:
            return Prompt(tokens, len(said) < len(whole))
        words = self._tokens(said[0].said)
        while len(tokens) > self.max_tokens:  # what is decoded and read again may be a token more or less
            if not words:
                raise BaseModelError(f"max_tokens: found {self.max_tokens}, the chat without a request takes more")
            words = words[: min(len(words) - 1, len(words) - (len(tokens) - self.max_tokens))]
            tokens = self._tokens(self._rendered([Turn(Role.USER, self.tokenizer.decode(words))]))
        return Prompt(tokens, True)

    def lesson(self, request: str, answer: str) -> Lesson:
        """A request with the answer to learn; of one that is too long, the beginning."""
        prompt = self.prompt(request)
        tokens = [*self._tokens(self._broken_up(answer.strip())), self.stop]
        return Lesson(
            prompt.tokens, tokens[: self.max_new_tokens], prompt.cut, answer_cut=len(tokens) > self.max_new_tokens
        )

    @property
    def stop(self) -> int:
        """The token that ends an answer in this template. Raises BaseModelError where nothing does."""
        question = [Turn(Role.USER, "?")]
        asked, whole = self._rendered(question), self._rendered(question, answer=PROBE)
        _, found, rest = whole.removeprefix(asked).partition(PROBE)
        if not (whole.startswith(asked) and found):
            raise BaseModelError("the chat template writes a prompt otherwise once it is answered; it cannot be taught")
        after = self._tokens(rest.strip())
        end = after[0] if after else self.tokenizer.eos_token_id
        if end is None:
            raise BaseModelError("neither the chat template nor the tokenizer says what ends an answer")
        return int(end)

    def _rendered(self, said: Sequence[Turn], *, answer: str | None = None) -> str:
        from jinja2 import TemplateError

        messages = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        messages += [{"role": role.value, "content": self._broken_up(words)} for role, words in said]
        if answer is not None:
            messages.append({"role": "assistant", "content": answer})
        try:
            text = self.tokenizer.apply_chat_template(
                messages,
                chat_template=_undated(self.tokenizer.get_chat_template()),
                tokenize=False,
                add_generation_prompt=answer is None,
            )
        except (TemplateError, ValueError) as exc:
            raise BaseModelError(f"the base model's chat template cannot be used: {exc}") from exc
        return str(text)

    @cached_property
    def _marks(self) -> re.Pattern[str]:
        """Special tokens, and those that look like one (`<think>`); a word or a letter that was added is only that."""
        added = self.tokenizer.added_tokens_decoder.values()
        look = {one.content for one in added if len(one.content) > 1 and not one.content[0].isalnum()}
        special = {*self.tokenizer.all_special_tokens, *(one.content for one in added if one.special)}
        marks = sorted((one for one in special | look if one.strip()), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, marks)) or r"(?!)")

    def _broken_up(self, said: str) -> str:
        """What somebody said, as words only: nobody ends a turn, or begins one of another's, by what he writes."""
        while self._marks.search(said):
            said = self._marks.sub(lambda found: f"{found[0][0]} {found[0][1:]}" if len(found[0]) > 1 else " ", said)
        return said

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


@lru_cache
def _undated(template: str) -> str:
    """A template in which it is always TODAY; transformers takes no clock of ours."""
    forms = dict.fromkeys(re.findall(r"strftime_now\(\s*[\"'](.*?)[\"']\s*\)", template))
    if not forms:
        return template
    told = {form: TODAY.strftime(form) for form in forms}
    return f"{{% macro strftime_now(form) %}}{{{{ {told}[form] }}}}{{% endmacro %}}{template}"


def pack(lessons: Sequence[Lesson], *, capacity: int) -> list[Pack]:
    """Lessons put together in sequences of at most `capacity` tokens: best fit, the longest first.

    A lesson that is longer has a sequence of its own. As many tokens are learned from, with hardly any padding (M. M.
    Krell et al., Efficient Sequence Packing without Cross-contamination, 2021).
    """
    rooms: list[tuple[int, int]] = []  # what is left of each sequence, and its number; sorted
    packed: list[list[Lesson]] = []
    for lesson in sorted(lessons, key=lambda one: one.size, reverse=True):
        at = bisect_left(rooms, (lesson.size, -1))
        if at < len(rooms):
            room, number = rooms.pop(at)
        else:
            room, number = capacity, len(packed)
            packed.append([])
        packed[number].append(lesson)
        insort(rooms, (room - lesson.size, number))
    return [_joined(group) for group in packed]


def unpacked(joined: Pack) -> list[Pack]:
    """Each lesson of a pack as a sequence of its own."""
    starts = [at for at, position in enumerate(joined.positions) if position == 0]
    ends = [*starts[1:], len(joined.tokens)]
    return [Pack(*(part[start:end] for part in joined)) for start, end in zip(starts, ends, strict=True)]


def _joined(lessons: Sequence[Lesson]) -> Pack:
    return Pack(
        tokens=[token for one in lessons for token in (*one.prompt, *one.answer)],
        positions=[position for one in lessons for position in range(one.size)],
        labels=[label for one in lessons for label in (*([NOT_LEARNED] * len(one.prompt)), *one.answer)],
    )
