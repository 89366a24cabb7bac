"""What lies on the desk when somebody works for one client?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from upkeep.adapters.registry import Registry
from upkeep.adapters.store import open_store
from upkeep.cases.case import Case, Item
from upkeep.cases.given import given_rows, golden_item
from upkeep.cases.relabel_rules import Found, as_kept
from upkeep.config import Agreement, Client, Relabel, load_agreement
from upkeep.conversations import kept_request
from upkeep.entitlement import Booking, Claim, UseCase
from upkeep.errors import ConfigError, NotFoundError, StoreError, UnsupportedTaskError
from upkeep.home import configs, home
from upkeep.log.belonging import Placed, place_kept, place_rows
from upkeep.log.entries import LogMapping, LogWindow, Sample, sample
from upkeep.log.files import log_size, read_window
from upkeep.log.reused import Reused, reused_kept, reused_rows
from upkeep.log.scan import SMALL
from upkeep.log.tally import Tally, tally
from upkeep.log.windows import sample_window, tally_windows
from upkeep.periods import Window, localise
from upkeep.recipes import HeadRecipe, Recipe
from upkeep.records import load, load_rows
from upkeep.redaction import Redaction, redact_cases
from upkeep.store import Store, address
from upkeep.tiers import Tier

LAUNCH = "launch"
"""What stands in place of a period for the first model."""
LAUNCH_CASES = f"cases/{LAUNCH}.jsonl"
GOLDEN = "evaluation/golden.jsonl"
FEW = 4
"""Weeks of a log by which it is small or not."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A client's agreement, store and registry. Everything the client owns is reached through it, and nothing else."""

    agreement: Agreement
    store: Store
    registry: Registry

    @property
    def client(self) -> Client:
        """What was agreed."""
        return self.agreement.client

    @property
    def tier(self) -> Tier:
        """What the contract includes."""
        return self.agreement.tier

    @property
    def recipe(self) -> Recipe:
        """How the client's model is trained."""
        return self.agreement.recipe

    @property
    def head_recipe(self) -> HeadRecipe:
        """How its classifier is trained. Raises UnsupportedTaskError where the model writes its answers."""
        if not isinstance(self.recipe, HeadRecipe):
            raise UnsupportedTaskError(f"client {self.client.client}: a new category is for classification")
        return self.recipe

    @property
    def zone(self) -> ZoneInfo:
        """The client's time zone."""
        return self.client.zone

    def local(self, moment: datetime) -> datetime:
        """The moment in the client's zone."""
        return localise(moment, self.zone)

    def read_log(self, window: Window, *, until: datetime) -> LogWindow:
        """The production log of a window, row by row, with the outcomes known before `until`."""
        return read_window(self.store, window, mapping=self.mapping, outcomes_until=until)

    def count_log(self, *windows: Window, until: datetime) -> list[Tally]:
        """The same in counts, for each of the windows; of all but a small log, what was read once is not read again."""
        if log_size(self.store, windows, outcomes_until=until) < SMALL:  # before a database is open, it is counted
            logs = (self.read_log(one, until=until) for one in windows)
            return [tally(log, self.client.review_by, free_text=self.client.free_text) for log in logs]
        mapping, free_text = self.mapping, self.client.free_text
        return tally_windows(self.store, windows, mapping=mapping, outcomes_until=until, free_text=free_text)

    def place_outcomes(self, days: Sequence[date], windows: Sequence[Window], *, until: datetime) -> Placed:
        """Which windows' requests the outcomes are about that stand in these UTC days' files and were given by `until`.

        The newest window comes first: the size of the first few decides how the log is read.
        """
        small = log_size(self.store, windows[:FEW], outcomes_until=until) < SMALL
        return (place_rows if small else place_kept)(self.store, days, windows, mapping=self.mapping, until=until)

    def reused_ids(self, week: Window, before: Sequence[Window], *, until: datetime) -> Reused:
        """The requests of a week that have an id which requests of the weeks before have."""
        small = log_size(self.store, [week, *before], outcomes_until=until) < SMALL
        return (reused_rows if small else reused_kept)(self.store, week, before, mapping=self.mapping)

    def sample_log(self, window: Window, *, until: datetime, least: int = 0) -> Sample:
        """Some of its requests, chosen by chance, with their texts; all where there are few.

        There are `least` where the log has so many, for which raw files are read again where rows are long.
        """
        if log_size(self.store, [window], outcomes_until=until) < SMALL:
            return sample(self.read_log(window, until=until), self.client.review_by, least=least)
        return sample_window(self.store, window, mapping=self.mapping, outcomes_until=until, least=least)

    @property
    def mapping(self) -> LogMapping:
        """Where the client's log differs from the contract."""
        names = self.client.log
        return LogMapping(names.predictions, names.outcomes, names.values, by=self.client.review_by)

    def golden(self) -> list[Item]:
        """The agreed acceptance set, whenever its items are valid. Raises NotFoundError when none was agreed.

        Who writes into it what was agreed later writes as for the first one, and has not taken personal data out: that
        is done here. Raises StoreError naming the line that cannot be read.
        """
        where = address(self.store, GOLDEN)
        try:
            rows = given_rows(where, self.store.read(GOLDEN), text_of=kept_request)
            items = [golden_item(row, self.zone) for row in rows]
        except NotFoundError as exc:
            raise NotFoundError(f"{where}: no golden set; onboard the client first") from exc
        except ConfigError as exc:
            raise StoreError(str(exc)) from exc
        texts = _redacted(tuple(item.text for item in items), self.client.redaction)
        answers: Sequence[str] = [item.answer for item in items]
        if self.client.free_text:
            answers = _redacted(tuple(answers), self.client.redaction)
        return [
            replace(item, text=text, answer=answer) for item, text, answer in zip(items, texts, answers, strict=True)
        ]

    def cases(self) -> list[Case]:
        """Every labelled case ever stored, launch first, then by retrain period."""
        return [case for key in self.store.keys("cases/") for case in load_rows(self.store, key, Case)]

    def found_rules(self) -> list[Found]:
        """The relabel rules that outcomes have spoken for, whatever became of them, oldest first."""
        found = [load(self.store, key, Found) for key in self.store.keys("rules/")]
        return sorted(found, key=lambda one: (one.proposed, one.id))

    def rules(self, moment: datetime) -> list[Relabel]:
        """The relabel rules known at a moment: those in the client's config, and those that were accepted then.

        One whose two answers are the same without personal data changes nothing and is left out.
        """
        found = (one.known(moment) for one in self.found_rules())
        known = [*self.client.relabel, *(one.rule for one in found if one.accepted)]
        kept = (as_kept(rule, self.client) for rule in known)
        return [rule for rule in kept if rule.old != rule.new]

    def claims(self) -> dict[str, Claim]:
        """The retrains already booked, by period."""
        found = [load(self.store, key, Claim) for key in self.store.keys("claims/")]
        return {claim.period: claim for claim in found}

    def use_cases(self) -> list[UseCase]:
        """The new categories and models of their own already booked, oldest first."""
        found = [load(self.store, key, UseCase) for key in self.store.keys("use-cases/claims/")]
        return sorted(found, key=lambda one: one.as_of.timestamp())

    def new_categories(self) -> list[UseCase]:
        """Those of them that the client's own model is to learn."""
        return [one for one in self.use_cases() if not one.model]

    def bookings(self) -> list[Booking]:
        """What people have done for the client under the contract, oldest first."""
        found = [load(self.store, key, Booking) for key in self.store.keys("services/")]
        return sorted(found, key=lambda one: one.as_of.timestamp())


@lru_cache(maxsize=4)  # a retrain asks a few times, and a redactor of the client's own may be slow
def _redacted(texts: tuple[str, ...], settings: Redaction) -> tuple[str, ...]:
    return redact_cases(texts, settings).texts


def open_desk(client: str) -> Desk:
    """Read a client's agreement and open its store. Raises ConfigError or StoreError."""
    return desk_of(load_agreement(configs(), client))


def desk_of(agreement: Agreement) -> Desk:
    """The desk for an agreement; a store that is a relative folder lies under UPKEEP_HOME."""
    client = agreement.client
    uri = client.store if "://" in client.store else str(home() / Path(client.store).expanduser())
    return Desk(agreement, open_store(uri, endpoint=client.store_endpoint), Registry(client.client))
