"""Is a changed policy right again after the next retrain? `python -m benchmarks.unlearning`

Two histories in which right answers change while the requests stay, played as production with no rule written by hand:
once with the rules that are found being applied, once with the new answers only appended to the old ones. With
`--ceiling`, banking77's requests are also answered by a model that was taught every other row of the public set with
the new answers and never an old one. Needs the shared data (UPKEEP_DATA, default ../shared/data).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

from benchmarks.intents import LIKE, read, rows_from
from benchmarks.table import head, row
from upkeep.cases.case import Case
from upkeep.config import load_client
from upkeep.home import configs
from upkeep.periods import week
from upkeep.recipes import HeadRecipe, load_recipe
from upkeep.statistics.rates import Rate
from upkeep.training.finetuning import finetune

POLICY = "banking77_policy"


class Story(NamedTuple):
    """A timeline: the day on which answers change, and the answer of before for a request that the change is about.

    It is None for all other requests, and the same before and after the change.
    """

    changed: date
    old_answer: Callable[[Mapping[str, Any]], str | None]

    def about(self, one: Mapping[str, Any]) -> bool:
        """Is the change about a request?"""
        return self.old_answer(one) is not None


class Way(NamedTuple):
    """How outdated answers are dealt with: what becomes of rules that are found, and the recipe."""

    rules: str
    training: str


def stories(data: Path) -> dict[str, Story]:
    """The two histories by the name of their timeline."""
    import pyarrow.parquet as pq

    played = pq.read_table(data / "timelines" / f"{POLICY}.parquet", columns=["id", "text", "label"]).to_pylist()
    original = {case.text: case.answer for case in public()}
    was = {one["id"]: original[one["text"]] for one in played}
    changed = {was[one["id"]]: was[one["id"]] for one in played if one["label"] != was[one["id"]]}
    renamed = dict.fromkeys(["websites", "website-breakages"], "websites")
    return {
        POLICY: Story(date(2025, 7, 1), lambda one: changed.get(was[one["id"]])),
        "sumo_firefox_third_rename": Story(date(2022, 5, 10), lambda one: renamed.get(one["right_answer"])),
    }


def public() -> list[Case]:
    """Every row of banking77."""
    return [*read("banking77", "train"), *read("banking77", "test")]


class Played(NamedTuple):
    """A history under one way: its months and what was alarmed as replay tells them, and its answers."""

    months: Sequence[Mapping[str, Any]]
    alarmed: Sequence[Mapping[str, Any]]
    answers: Sequence[Mapping[str, Any]]


def play(timeline: Path, way: Way, *, tier: int, folder: Path, seed: int = 0) -> Played:
    """Replay a timeline in a process of its own; its progress goes to the terminal."""
    months, answers = folder / "months.json", folder / "answers.jsonl"
    command = [sys.executable, "-m", "upkeep", "replay", str(timeline), "--tier", str(tier), "--rules", way.rules]
    command += ["--training", way.training, "--seed", str(seed), "--json", str(months), "--answers", str(answers)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    told = json.loads(months.read_text(encoding="utf-8"))
    lines = answers.read_text(encoding="utf-8").splitlines()
    return Played(told["months"], told["alarmed"], [json.loads(line) for line in lines])


def by_month(story: Story, answers: Sequence[Mapping[str, Any]]) -> dict[str, Rate]:
    """How often the changed requests were answered right, by month from the change on."""
    found: dict[str, list[bool]] = {}
    for one in answers:
        if one["at"] >= f"{story.changed}" and story.about(one):
            found.setdefault(one["at"][:7], []).append(one["answer"] == one["right_answer"])
    return {month: Rate.of(right) for month, right in sorted(found.items())}


def before(story: Story, answers: Sequence[Mapping[str, Any]]) -> Rate:
    """How often requests of that kind were answered right before the change."""
    told = [one for one in answers if one["at"] < f"{story.changed}" and story.about(one)]
    return Rate.of(one["answer"] == one["right_answer"] for one in told)


def never_there(data: Path, story: Story, answers: Sequence[Mapping[str, Any]], *, seed: int) -> list[dict[str, Any]]:
    """The requests of the change from then on, answered by a model that was never taught an old answer."""
    import pyarrow.parquet as pq

    timeline = pq.read_table(data / "timelines" / f"{POLICY}.parquet", columns=["id", "text"]).to_pylist()
    texts = {one["id"]: one["text"] for one in timeline}
    asked = [one for one in answers if one["at"] >= f"{story.changed}" and story.about(one)]
    original = {case.text: case.answer for case in public()}
    new = {original[texts[one["id"]]]: one["right_answer"] for one in asked}
    held = {texts[one["id"]] for one in asked}
    cases = [replace(one, answer=new.get(one.answer, one.answer)) for one in public() if one.text not in held]
    recipe = load_recipe(configs(), "lora-encoder")
    rows = rows_from(cases, [], client=load_client(configs(), LIKE), recipe=cast(HeadRecipe, recipe))
    model = finetune(rows.base, rows.taught, client=rows.client, recipe=rows.recipe, seed=seed).model
    found = model.answer([texts[one["id"]] for one in asked])
    return [{**one, "answer": given.output} for one, given in zip(asked, found, strict=True)]


def after_next_retrain(played: Played, rates: Mapping[str, Rate]) -> str | None:
    """The first month, after the one of the change, in which a model from a later retrain answers."""
    return next((one["month"] for one in retrains(played) if one["month"] > min(rates)), None)


def retrains(played: Played) -> list[Mapping[str, Any]]:
    """The months that began with a retrain."""
    return [one for one in played.months if one["decisions"]]


def spread(rates: Sequence[Rate]) -> str:
    """Much the same requests in several histories: the mean share, and how many were right in each."""
    if len(rates) == 1:
        return str(rates[0])
    return f"{mean(rates):.1%} ({', '.join(f'{rate.hits} of {rate.n}' for rate in rates)})"


def monthly(rates: Sequence[Mapping[str, Rate]]) -> str:
    """The mean share month by month."""
    return ", ".join(f"{mean([one[month] for one in rates]):.2f}" for month in rates[0])


def mean(rates: Sequence[Rate]) -> float:
    """The share of all of them."""
    return sum(rate.hits for rate in rates) / sum(rate.n for rate in rates)


def tell_rules(story: Story, played: Played) -> None:
    """The rules that were found, how many weeks after the change, and what became of them."""
    zone = ZoneInfo("UTC")
    for found in (one for month in played.months for one in month["rules"]):
        weeks = -(-(week(found["week"], zone).end.date() - story.changed).days // 7)
        rule = f"`{found['old']}` -> `{found['new']}` from {found['since']}"
        became = "applied" if found["accepted"] else "not applied"
        print(f"- {rule}, proposed in week {weeks}, {became}: {found['evidence']}")


def main() -> None:
    """Print a table, and the rules that were found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", type=int, default=2, help="2 retrains each quarter, 3 each month")
    parser.add_argument("--seeds", type=int, default=1, help="histories that differ in training and feedback")
    parser.add_argument("--training", default="lora-encoder", help="recipe of what supersedes")
    parser.add_argument("--way", action="append", choices=["superseded", "appended"], help="default: both")
    parser.add_argument("--ceiling", action="store_true", help="also a model that was never taught an old answer")
    parser.add_argument("--story", action="append", help="one of the histories; default: both")
    options = parser.parse_args()
    data = Path(os.environ.get("UPKEEP_DATA", "../shared/data"))
    ways = {"superseded": Way("apply", options.training), "appended": Way("propose", "append-only")}
    found: dict[str, Played] = {}
    head("history", "outdated answers are", "right before", "in the month after the next retrain", "by month")
    for name, story in stories(data).items():
        for about, way in ways.items() if name in (options.story or [name]) else ():
            if about not in (options.way or ways):
                continue
            runs = []
            for seed in range(options.seeds):
                with tempfile.TemporaryDirectory() as scratch:
                    timeline = data / "timelines" / f"{name}.parquet"
                    runs.append(play(timeline, way, tier=options.tier, seed=seed, folder=Path(scratch)))
            rates = [by_month(story, played.answers) for played in runs]
            after = after_next_retrain(runs[0], rates[0])
            ours = [name, about, f"{mean([before(story, played.answers) for played in runs]):.1%}"]
            told = f"{after}: {spread([one[after] for one in rates])}" if after else "none"
            row(*ours, told, monthly(rates))
            if way.rules == "apply":
                found[name] = runs[0]
            if name == POLICY and options.ceiling and after:
                rates = [by_month(story, never_there(data, story, runs[0].answers, seed=0))]
                row(name, "never there", "", f"{after}: {rates[0][after]}", monthly(rates))
    for name, played in found.items():
        print(f"\nRules found in `{name}`:\n")
        tell_rules(stories(data)[name], played)


if __name__ == "__main__":
    main()
