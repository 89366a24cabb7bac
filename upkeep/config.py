"""What was agreed with a client?"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, field_validator, model_validator

from upkeep.base_model import BaseModelConfig
from upkeep.client_functions import OWN_FUNCTION
from upkeep.errors import ConfigError
from upkeep.log.entries import LogMapping, canonical
from upkeep.log.field_map import LogMap
from upkeep.patterns import fault, is_in
from upkeep.recipes import Recipe, Task, load_recipe
from upkeep.redaction import Redaction
from upkeep.strict_yaml import Name, Share, Strict, Zone, load, named, names
from upkeep.tiers import Tier, load_tiers

SCHEMES = ("s3://", "file:///", "file://localhost/")
"""How a store begins that is no folder's plain name."""


class Promotion(StrEnum):
    """Who switches a better challenger on."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class Rollback(StrEnum):
    """What becomes of a promoted model that does worse than the one before it did."""

    RECOMMEND = "recommend"
    AUTOMATIC = "automatic"


class NewLabels(StrEnum):
    """What to do with an answer that the label list does not have."""

    LEARN = "learn"
    HOLD = "hold"


class Unreviewed(StrEnum):
    """What a retrain does with cases that there is a reason to ask reviewers about and that none has answered.

    Where it is not to use them, it skips those, too, that were beyond `asked_at_most`; it waits for none of these.
    """

    USE_OUTCOMES = "use_outcomes"
    SKIP = "skip"
    WAIT = "wait"


class Rules(StrEnum):
    """What becomes of a relabel rule that is found in what people say."""

    PROPOSE = "propose"
    APPLY = "apply"


class Thresholds(Strict):
    """Agreed limits, as shares; a metric without one is shown and not judged.

    Only accuracy is held against the model's own first weeks without one too.
    """

    accuracy: Share | None = Field(default=None, description="right among all answers")
    auto_resolution: Share | None = Field(default=None, description="answered automatically and right, among all")
    precision: Share | None = Field(default=None, description="right among automatic answers")
    escalation: Share | None = Field(default=None, description="handed to a person, at most")

    @property
    def agreed(self) -> dict[str, float]:
        """The limits there are, by metric."""
        return self.model_dump(exclude_none=True)


def _compiles(value: str) -> str:
    wrong = fault(value)
    if wrong:
        raise ValueError(f"expected a regular expression: {wrong}")
    return value


Pattern = Annotated[str, AfterValidator(_compiles)]


def _bare(value: str) -> str:
    if not value or value != value.strip():
        raise ValueError("a name without spaces around it")
    return canonical(value)


Label = Annotated[str, AfterValidator(_bare)]
Answer = Annotated[str, AfterValidator(canonical)]


class Relabel(Strict):
    """A policy change: from `since`, what was answered `old` is answered `new`."""

    old: Answer
    new: Answer
    since: date
    text: Pattern | None = Field(default=None, description="only of texts in which this regular expression is found")
    theme: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="only of requests that are about the same as one of these examples"
    )

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.old == self.new:
            raise ValueError(f"old and new are both {self.old!r}")
        return self

    @property
    def for_a_part(self) -> bool:
        """Is it for some of the requests only?"""
        return bool(self.text or self.theme)

    def may_cover(self, answer: str, text: str) -> bool:
        """Is an answer to a text outdated by it, whatever the text is about? Raises ConfigError as `is_in` does."""
        if answer != self.old or self.text is None:
            return answer == self.old
        try:
            return is_in(self.text, text)
        except ConfigError as exc:
            raise ConfigError(f"relabel {self.old!r} -> {self.new!r} from {self.since}: text {exc}") from exc

    def covers(self, answer: str, text: str) -> bool:
        """Is an answer to a text outdated by it? Raises ValueError where only a model can say what is about a theme."""
        if self.theme:
            raise ValueError(f"{self.old!r} -> {self.new!r}: nobody has said yet which texts are about its theme")
        return self.may_cover(answer, text)


class Alarms(Strict):
    """How rarely an alarm may be false, and how restless the client's weeks are taken to be."""

    false_alarms_a_year: float = Field(default=0.01, gt=0, le=4, description="for each judged figure of a stable model")
    weekly_spread_pp: float = Field(
        default=2.0, gt=0, le=20, description="points by which a stable rate varies from week to week, chance apart"
    )


APOSTROPHE = r"['\u2019]"
CANNOT = rf"can(?: ?not(?! only)|{APOSTROPHE}t)"
AM = rf"(?: am|{APOSTROPHE}m)"
REFUSALS = (
    # what comes after a "you" is what the customer cannot do
    rf"\bI{AM} (?:sorry|afraid)\b(?:(?:(?!\byou).){{0,40}}|.{{0,40}}\b(?:I{AM}?|we(?: are|{APOSTROPHE}re)?) )"
    rf"\b(?:{CANNOT}|unable|not able)\b",
    rf"\bI(?: (?:{CANNOT}|won{APOSTROPHE}t)|{AM} (?:unable|not able) to) "
    r"(?:help(?! but)|assist|answer|provide|comply|discuss|do (?:that|this|so))\b",
    r"\bas an AI\b",
)


class Audit(Strict):
    """How many of a week's answers people are asked to check."""

    random: int = Field(default=50, ge=0, description="drawn by chance; accuracy is estimated from them")
    unsure: int = Field(default=10, ge=0, description="the least confident of the others; they only teach")
    edge_cases: int = Field(default=5, ge=0, description="the oddest of the edge cases among the rest; they only teach")

    @property
    def most(self) -> int:
        """More are never asked about in a week."""
        return self.random + self.unsure + self.edge_cases


class Writing(Strict):
    """How a model that writes its answers is asked, and when an answer counts as right."""

    system_prompt: str | None = Field(default=None, description="what the model is told before each request")
    right_from: Share = Field(
        default=0.7, description="words in common with the agreed answer (token F1) from which one counts as right"
    )
    judge: str | None = Field(
        default=None,
        pattern=OWN_FUNCTION,
        description="package.module:function (request, agreed answer, answer) -> bool that says so instead",
    )


class Client(Strict):
    """One client's agreement and model."""

    client: Name
    name: str = Field(description="as people read it, in reports and alerts")
    tier: int = Field(description="a number in tiers.yaml")
    time_zone: Zone = Field(
        description="IANA name such as Europe/Berlin: where the client's days, weeks and months begin"
    )
    task: Task
    labels: tuple[Label, ...] = Field(default=(), description="the answers agreed for a classifier, at least two")
    out_of_scope_label: Label = Field(default="oos", description="the right answer when no label is right")
    new_labels: NewLabels = Field(
        default=NewLabels.LEARN,
        description="a right answer that labels does not have: learn it once it has cases enough, or hold it until it "
        "is one of labels",
    )
    base_model: BaseModelConfig
    eyes: BaseModelConfig | None = Field(
        default=None,
        description="encoder that reads requests for themes, edge cases and input shift; None: base_model. "
        "A model that writes is no good one: with it no rule may have a theme",
    )
    training: Name = Field(description="the recipe: a file in training/")
    store: str = Field(min_length=1, description="absolute folder, folder under UPKEEP_HOME, or s3://bucket/prefix")
    store_endpoint: str | None = Field(default=None, description="address of an S3 server other than AWS")
    log: LogMap = LogMap()
    review_by: tuple[str, ...] = Field(
        default=(),
        max_length=3,
        description="metadata keys with few values by which figures and comparisons are broken down, three at most",
    )
    refusals: tuple[Pattern, ...] = Field(
        default=REFUSALS, description="regular expressions by which a generated answer counts as a refusal"
    )
    writing: Writing = Field(default=Writing(), description="of a model that writes its answers")
    thresholds: Thresholds = Thresholds()
    audit: Audit = Audit()
    redaction: Redaction = Field(default=Redaction(), description="personal data taken out before a text is kept")
    alarms: Alarms = Alarms()
    alert_channels: tuple[Name, ...] = Field(
        default=(), description="where alerts go: names whose apprise URLs are in the environment or in Prefect secrets"
    )
    minimum_labels: int = Field(
        default=50,
        ge=1,
        description="labelled requests in the newest four weeks together, below which a metric is not judged",
    )
    promised_precision: Share = Field(
        default=0.95, description="right among automatic answers: the threshold is fitted to keep it"
    )
    expected_out_of_scope: Share = Field(default=0.05, description="share no label fits, before any is seen")
    promotion: Promotion = Promotion.MANUAL
    approval_days: int = Field(default=30, ge=1, description="days after which a challenger that waits has expired")
    rollback: Rollback = Field(
        default=Rollback.RECOMMEND, description="a promoted model that does worse: recommend to go back, or do it"
    )
    release_webhook: Name | None = Field(
        default=None, description="who is told that another model is in service: a name as in alert_channels"
    )
    margin_pp: float = Field(default=3.0, ge=0, le=100, description="points a challenger may lose")
    minimum_items: int = Field(default=300, ge=1, description="evaluation items below which nothing is promoted")
    minimum_new_recall: Share = Field(default=0.7, description="share found of a new category's evaluation items")
    minimum_new_items: int = Field(default=10, ge=1, description="such items below which no new category is promoted")
    relabel: tuple[Relabel, ...] = ()
    rules: Rules = Field(
        default=Rules.PROPOSE, description="a relabel rule that outcomes prove: propose it to people, or apply it"
    )
    unreviewed: Unreviewed = Field(
        default=Unreviewed.USE_OUTCOMES,
        description="cases with a reason to be reviewed that nobody has by the retrain: use, skip, or wait for those "
        "that were asked about and skip the others",
    )
    asked_at_most: int = Field(
        default=200, ge=0, description="cases that people are asked to look over at a time, the most telling first"
    )
    conversation: str | None = Field(
        default=None,
        description="metadata key whose requests belong together: all are trained on, or all held out but for "
        "near-duplicates of what is trained on",
    )

    @field_validator("store")
    @classmethod
    def _no_mistyped_scheme(cls, value: str) -> str:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", value) and not value.startswith(SCHEMES):
            raise ValueError(f"nothing that begins like an address, but for {' and '.join(SCHEMES)}")
        return value

    @model_validator(mode="after")
    def _labels_fit_the_task(self) -> Self:
        if self.task is Task.CLASSIFICATION and len(self.labels) < 2:
            raise ValueError(f"labels: found {len(self.labels)}, expected at least 2 for classification")
        doubled = sorted({label for label in self.labels if self.labels.count(label) > 1})
        if doubled:
            raise ValueError(f"labels: {doubled} listed twice, expected each once")
        if self.out_of_scope_label in self.labels:
            raise ValueError(f"labels: has {self.out_of_scope_label!r}, which is the out_of_scope_label")
        return self

    @model_validator(mode="after")
    def _relabel_leads_to_what_is_taught(self) -> Self:
        held = self.new_labels is NewLabels.HOLD and not self.free_text
        known = {*self.answers, *(rule.old for rule in self.relabel)}
        for at, rule in enumerate(self.relabel):
            if held and rule.new not in known:
                wanted = f"one of labels {list(self.labels)} or {self.out_of_scope_label!r}"
                raise ValueError(f"relabel.{at}.new: found {rule.new!r}, expected {wanted}: new_labels is 'hold'")
        return self

    @model_validator(mode="after")
    def _themes_are_seen_by_an_encoder(self) -> Self:
        for at, rule in enumerate(self.relabel):
            if rule.theme and self.free_text and self.eyes is None:
                raise ValueError(f"eyes: found none, expected an encoder: relabel.{at} is for a theme")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The client's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def answers(self) -> frozenset[str]:
        """The labels agreed, and the answer that is right when none of them is."""
        return frozenset((*self.labels, self.out_of_scope_label))

    @property
    def free_text(self) -> bool:
        """Are the model's answers texts of its own, and no labels?"""
        return self.task is Task.GENERATION


class Agreement(Strict):
    """A client's config with the tier and the recipe it names."""

    client: Client
    tier: Tier
    recipe: Recipe


def load_client(folder: Path, name: str) -> Client:
    """Read clients/<name>.yaml. Raises ConfigError; a missing file lists what there is."""
    path = folder / "clients" / f"{name}.yaml"
    client = load(path, Client)
    return named(path, client, "client", client.client)


def load_agreement(folder: Path, name: str) -> Agreement:
    """Read a client's config and what it refers to. Raises ConfigError naming the file and the key."""
    client = load_client(folder, name)
    path = folder / "clients" / f"{name}.yaml"
    tiers = load_tiers(folder).tiers
    if client.tier not in tiers:
        raise ConfigError(f"{path}: tier is {client.tier}, expected one of {sorted(tiers)} (tiers.yaml)")
    if client.rollback is Rollback.AUTOMATIC and not tiers[client.tier].automatic_rollback:
        raise ConfigError(f"{path}: rollback is 'automatic', expected 'recommend': tier {client.tier} includes no more")
    known = names(folder / "training")
    if client.training not in known:
        raise ConfigError(f"{path}: training is {client.training!r}, expected one of {known} (training/)")
    try:
        LogMapping(predictions=client.log.predictions, outcomes=client.log.outcomes, values=client.log.values)
    except ConfigError as exc:
        raise ConfigError(f"{path}: log: {exc}") from exc
    recipe = load_recipe(folder, client.training)
    if recipe.task is not client.task:
        raise ConfigError(f"{path}: training {client.training!r} is for {recipe.task}, expected one for {client.task}")
    return Agreement(client=client, tier=tiers[client.tier], recipe=recipe)


def client_names(folder: Path) -> list[str]:
    """Every client that has a config, in order."""
    return names(folder / "clients")
