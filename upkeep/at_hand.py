"""Is what a client's config names at hand: on this machine, or among the client's cases?"""

from __future__ import annotations

from pathlib import Path

from upkeep.base_model import expect_base
from upkeep.closeness import judge_of
from upkeep.config import Client
from upkeep.desk import Desk
from upkeep.errors import BaseModelError, ConfigError, StoreError
from upkeep.redaction import redact_cases
from upkeep.rules import as_kept


def check_own_functions(folder: Path, client: Client) -> None:
    """Raise ConfigError where a function of the client's own cannot be imported: whatever calls it would fail."""
    try:
        redact_cases((), client.redaction)
        judge_of(client.writing)
    except ConfigError as exc:
        raise ConfigError(f"{folder / 'clients' / client.client}.yaml: {exc}") from exc


def base_notes(client: Client) -> list[str]:
    """What is missing of the models that are named; no error, since another machine may do the work."""
    notes = []
    for model in (client.base_model, *([client.eyes] if client.eyes else [])):
        try:
            expect_base(model)
        except BaseModelError as exc:
            notes.append(str(exc))
    return notes


def rule_notes(desk: Desk) -> list[str]:
    """Rules in a writer's config that change nothing: a typing error, mostly, or what only `redaction.keep` would keep.

    No error: the answer may come with cases that are yet to come.
    """
    if not desk.client.free_text or not desk.client.relabel:
        return []
    try:
        cases = desk.cases()
    except StoreError as exc:
        return [f"relabel: cannot be looked for among the cases: {exc}"]
    rules = [as_kept(rule, desk.client) for rule in desk.client.relabel]
    led_to = {rule.new for rule in rules}
    notes = []
    for at, rule in enumerate(rules):
        if rule.old == rule.new:
            notes.append(f"relabel.{at}: old and new are both {rule.old!r} once personal data is taken out")
        elif cases and rule.old not in led_to and not any(rule.may_cover(one.answer, one.text) for one in cases):
            notes.append(f"relabel.{at}: covers no case: none that it is for has the answer {rule.old!r}")
    return notes
