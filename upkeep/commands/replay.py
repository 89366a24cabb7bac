"""Which command plays a client's history as production?"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from upkeep.base_model import anchored
from upkeep.commands.common import Commands, make_folder
from upkeep.config import Client, Relabel, Rules, load_client
from upkeep.errors import ConfigError
from upkeep.home import configs
from upkeep.progress import OnTerminal

if TYPE_CHECKING:
    from upkeep.replay import JudgedAgain
    from upkeep.timeline import Timeline


def add_replay_command(commands: Commands) -> None:
    """`replay`."""
    replay = commands.add_parser("replay", help="play a labelled timeline as production")
    replay.add_argument("timeline", type=Path, help="Parquet file: id, ts, text, label, split, valid_from, valid_to")
    replay.add_argument("--tier", type=int, required=True, help="a tier of tiers.yaml: 1, 2 or 3")
    replay.add_argument(
        "--like",
        default="northwind",
        metavar="CLIENT",
        help="whose config is played (default northwind), but for the labels, which are the history's, the tier, the "
        "time zone, which is UTC, relabel and rules, given here, and the thresholds, set below the go-live figures",
    )
    replay.add_argument("--audit", type=int, default=100, help="requests a week labelled at random (default 100)")
    replay.add_argument("--feedback", type=float, default=0.5, help="share of wrong automatic answers complained about")
    replay.add_argument("--relabel", type=_relabel, action="append", default=[], metavar="OLD=NEW@DATE")
    replay.add_argument(
        "--rules",
        type=Rules,
        choices=list(Rules),
        default=Rules.PROPOSE,
        help="what becomes of rules that are found (default propose)",
    )
    replay.add_argument("--training", default=None, metavar="RECIPE", help="a recipe of configs/training")
    replay.add_argument(
        "--json",
        type=Path,
        required=True,
        help="where to write the months, what was alarmed and until when, and what came of judging again",
    )
    replay.add_argument("--answers", type=Path, help="where to write every answer, as JSON Lines")
    replay.add_argument("--seed", type=int, default=0)
    replay.add_argument("--keep", type=Path, help="state folder to keep, for the MLflow UI; default: a temporary one")
    replay.set_defaults(run=_replay)


def _relabel(text: str) -> Relabel:
    try:
        labels, since = text.rsplit("@", 1)
        old, new = labels.split("=", 1)
        return Relabel(old=old, new=new, since=date.fromisoformat(since))
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r}: expected OLD=NEW@YYYY-MM-DD ({exc})") from exc


def _replay(options: argparse.Namespace) -> None:
    from upkeep.timeline import read_timeline

    if not 0 <= options.feedback <= 1 or options.audit < 0:
        raise ConfigError(f"--feedback {options.feedback} --audit {options.audit}: expected 0..1 and 0 or more")
    timeline = read_timeline(options.timeline)
    source = configs()
    like = load_client(source, options.like)
    models = {"base_model": anchored(like.base_model), "eyes": like.eyes and anchored(like.eyes)}
    like = like.model_copy(update=models)  # the replay has a home of its own
    for path in filter(None, (options.json, options.answers)):
        make_folder(path)
    with tempfile.TemporaryDirectory() as scratch:
        chosen = (options.keep or Path(scratch)) / "replay"
        if chosen.exists():
            shutil.rmtree(chosen)
        os.environ |= {"UPKEEP_HOME": str(chosen / "home"), "UPKEEP_CONFIGS": str(chosen / "configs")}
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        shutil.copytree(source, chosen / "configs", ignore=shutil.ignore_patterns("clients"))
        months, alarms, again = _play(options, timeline, chosen / "configs", like=like)
    told = {"months": months, "alarmed": alarms, "judged_again": again._asdict()}
    options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    for month in months:
        print(
            f"{month['month']}  accuracy {month['accuracy']:.3f}  auto-resolved {month['auto_resolved']:.3f}  "
            f"champion v{month['champion']}  alerts {len(month['alerts'])}  "
            f"{', '.join(one['verdict'] for one in month['decisions'])}"
        )
    print(again)


def _play(
    options: argparse.Namespace, timeline: Timeline, folder: Path, *, like: Client
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], JudgedAgain]:
    from upkeep.chain import run_due
    from upkeep.desk import open_desk
    from upkeep.replay import Feedback, alarmed, answers_given, by_month, client_for, go_live, judged_again, play

    client = client_for(timeline, name="replayed", tier=options.tier, like=like).model_copy(
        update={
            "relabel": tuple(options.relabel),
            "rules": options.rules,
            "training": options.training or like.training,
            "time_zone": "UTC",
            "store": "clients/replayed",
        }
    )
    _write_client(folder, client)
    progress = OnTerminal()
    floors = go_live(open_desk(client.client), timeline, seed=options.seed, progress=progress)
    _write_client(folder, client.model_copy(update={"thresholds": floors}))
    desk = open_desk(client.client)
    act = partial(run_due, seed=options.seed, progress=progress)
    feedback = Feedback(complaints=options.feedback, audit=options.audit)
    played = play(desk, timeline, act=act, feedback=feedback, seed=options.seed, progress=progress)
    if options.answers:
        lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in answers_given(played))
        options.answers.write_text("".join(lines), encoding="utf-8")
    return by_month(desk, played), alarmed(desk), judged_again(desk)


def _write_client(folder: Path, client: Client) -> None:
    (folder / "clients").mkdir(exist_ok=True)
    text = yaml.safe_dump(client.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    (folder / "clients" / f"{client.client}.yaml").write_text(text, encoding="utf-8")
