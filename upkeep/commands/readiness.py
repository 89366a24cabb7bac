"""Is what a client's config names at hand: on this machine, or among the client's cases?"""

from __future__ import annotations

from pathlib import Path

from upkeep.adapters.notifier import url_from_environment, variable
from upkeep.base_model import BaseModelConfig, HubModel, expect_base, reference_of, resolve_base, settings_digest
from upkeep.cases.case import Case
from upkeep.cases.relabel_rules import as_kept
from upkeep.config import Client, Relabel
from upkeep.desk import Desk
from upkeep.errors import BaseModelError, ConfigError, NotFoundError, StoreError
from upkeep.log.files import never_read
from upkeep.metrics.closeness import judge_of
from upkeep.patterns import of_client
from upkeep.redaction import redact_cases
from upkeep.release import Release
from upkeep.stages.release import current_release


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


def served_base_notes(desk: Desk) -> list[str]:
    """That the config names another base model than the version in service stands on; no error, it may well do so."""
    model = desk.client.base_model
    try:
        served = current_release(desk)
        if served is None or _is_base_of(model, served):
            return []
    except StoreError as exc:
        mended = "the next review, retrain, approval or rollback writes a damaged one afresh"
        return [f"base_model: that of the version in service cannot be read ({mended}): {exc}"]
    except BaseModelError:  # `base_notes` says so
        return []
    own = f"version {served.version} in service stands on, {served.base} with the SHA-256 {served.base_digest}"
    if served.base_settings_digest:
        own += f" and, of its config, tokenizer and chat template, {served.base_settings_digest}"
    needed = "a retrain and a rollback need that one here too, see docs/training.md#another-base-model"
    return [f"base_model: {reference_of(model)} is not what {own}; {needed}"]


def relabel_notes(client: Client) -> list[str]:
    """Rules whose old label nothing else in the config names: a typing error, or a label that `labels` had once.

    No error: cases from before a rename keep their answer in the store when `labels` has only the new one.
    """
    known = {*client.answers, *(rule.new for rule in client.relabel)}
    return [
        f"relabel.{at}.old: found {rule.old!r}, expected one of {sorted(known)}, or a label that cases had before"
        for at, rule in enumerate(client.relabel)
        if rule.old not in known and not client.free_text
    ]


def rule_notes(desk: Desk) -> list[str]:
    """Rules in a writer's config that change nothing: a typing error, mostly, or what only `redaction.keep` would keep.

    No error: the answer may come with cases that are yet to come. Raises ConfigError where one takes too long.
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
        elif cases and rule.old not in led_to and not _covers_any(rule, cases, desk.client):
            notes.append(f"relabel.{at}: covers no case: none that it is for has the answer {rule.old!r}")
    return notes


def channel_notes(client: Client) -> list[str]:
    """The channels of which this machine's environment has no URL; no error, a Prefect Secret block may have it."""
    named = dict.fromkeys([*client.alert_channels, *filter(None, [client.release_webhook])])
    return [
        f"channel {one}: {variable(one)} is not set here; fine where a Prefect Secret block {one!r} has the URL"
        for one in named
        if url_from_environment(one) is None
    ]


def golden_notes(desk: Desk) -> list[str]:
    """Why the golden set cannot be read, to which people may have added; no error, so that all clients are looked at.

    A client that was never onboarded has none yet.
    """
    try:
        desk.golden()
    except NotFoundError:
        return []
    except StoreError as exc:
        return [str(exc)]
    return []


def log_notes(desk: Desk) -> list[str]:
    """What of the log is never read, or why nobody can tell."""
    try:
        return never_read(desk.store)
    except StoreError as exc:
        return [str(exc)]


def _covers_any(rule: Relabel, cases: list[Case], client: Client) -> bool:
    with of_client(client.client):
        return any(rule.may_cover(one.answer, one.text) for one in cases)


def _is_base_of(model: BaseModelConfig, served: Release) -> bool:
    """Is this the base model of a release? A hub's is told by its name, as the hub is not asked."""
    if isinstance(model, HubModel):
        return reference_of(model) == served.base
    if (model.sha256 or resolve_base(model).digest) != served.base_digest:
        return False
    return served.base_settings_digest in ("", settings_digest(model))
