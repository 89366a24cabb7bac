"""Upkeep on the command line: `python -m upkeep COMMAND --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from upkeep.commands.common import Commands, announce_changes, as_of, for_client, make_folder, moment, open_desk, seed
from upkeep.commands.release import add_release_commands
from upkeep.commands.replay import add_replay_command
from upkeep.errors import RuleError, SheetError, SnapshotError, UpkeepError, VariantError
from upkeep.home import configs, home, prepare_process
from upkeep.progress import OnTerminal
from upkeep.recipes import load_recipe
from upkeep.strict_yaml import names
from upkeep.tiers import load_tiers

if TYPE_CHECKING:
    from upkeep.entitlement import ChangeOrder
    from upkeep.stages.decisions import Decision
    from upkeep.stages.reviewing import Returned, Waiting


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error of ours is one message and exit status 1."""
    prepare_process()
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except UpkeepError as exc:
        print(f"upkeep: {exc}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="upkeep", description="Keeps fine-tuned models good after they ship.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add_replay_command(commands)

    check = commands.add_parser("check", help="validate every config")
    check.set_defaults(run=_check)

    onboard = for_client(
        commands, "onboard", _onboard, "store first cases and golden set, train and start the first model"
    )
    onboard.add_argument("--cases", type=Path, required=True, help="JSONL with id, text, answer")
    onboard.add_argument(
        "--golden", type=Path, required=True, help="JSONL with id, text, answer[, valid_from, valid_to]"
    )
    moment(onboard)
    seed(onboard)

    moment(for_client(commands, "review", _review, "review the last full week"))
    moment(for_client(commands, "report", _report, "write the report of the last full month"))

    about = "retrain now, or open a change order where the tier does not include it"
    retrain = for_client(commands, "retrain", _retrain, about)
    moment(retrain)
    retrain.add_argument("--reason", default="manual", help="why, for the record")
    seed(retrain)

    audit = for_client(commands, "audit", _audit, "draw last week's audit sample and write its sheet to fill in")
    audit.add_argument("--to", type=Path, help="the .xlsx file to write, default <client>-<week>.xlsx here")
    moment(audit)

    audited = for_client(commands, "audited", _audited, "take in a filled audit sheet, all of it or part")
    audited.add_argument("sheet", type=Path, help="the .xlsx file")
    moment(audited)

    _data_commands(commands)

    add_release_commands(commands)
    return parser


def _data_commands(commands: Commands) -> None:
    about = "take in a batch of cases that people looked over, all of it or part"
    batch = for_client(commands, "reviewed", _reviewed, about)
    batch.add_argument("file", type=Path, help=".xlsx, .csv, or an export of Label Studio (.json)")
    batch.add_argument("--by", required=True, help="who looked them over, where the file does not say")
    moment(batch)

    rules = for_client(
        commands, "rules", _rules, "list the relabel rules that outcomes speak for; accept or refuse one"
    )
    rules.add_argument("rule", nargs="?", help="the id of one of them")
    answer = rules.add_mutually_exclusive_group()
    answer.add_argument("--accept", action="store_true", help="the next retrain unlearns the old answer")
    answer.add_argument("--refuse", action="store_true")
    rules.add_argument("--since", type=date.fromisoformat, metavar="DAY", help="the rule holds from another day")
    rules.add_argument("--by", help="who decides")
    moment(rules)

    variant = for_client(
        commands, "variant", _variant, "teach the model a new category, from examples and past requests"
    )
    variant.add_argument("--label", required=True, help="what the new category is called")
    variant.add_argument(
        "--seeds", type=Path, metavar="FILE", help="examples, one a line; none: go on with one that was begun"
    )
    variant.add_argument("--by", default="", help="who gives the examples")
    variant.add_argument("--reason", default="manual", help="why, for the record")
    variant.add_argument("--now", action="store_true", help="do not wait for the review of past requests like them")
    moment(variant)
    seed(variant)

    moment(for_client(commands, "variants", _variants, "list what may be the next new category, and those begun"))

    data = for_client(commands, "data", _data, "what a model was taught, and what changed since another one")
    data.add_argument("period", nargs="?", help="the snapshot of a retrain, such as 2026-Q4; default: list them")
    data.add_argument("--since", metavar="PERIOD", help="what changed since that one")
    data.add_argument("--rebuild", action="store_true", help="choose it once more from the facts and compare")


def _check(options: argparse.Namespace) -> None:  # noqa: ARG001 -- every command takes its options
    from upkeep.commands.readiness import base_notes, check_own_functions, relabel_notes, rule_notes, served_base_notes
    from upkeep.commands.separate_stores import check_apart
    from upkeep.config import client_names, load_agreement
    from upkeep.desk import desk_of

    folder = configs()
    for name in names(folder / "training"):
        load_recipe(folder, name)
    tiers = load_tiers(folder)
    found = [load_agreement(folder, name) for name in client_names(folder)]
    desks = [desk_of(agreement) for agreement in found]
    for at, desk in enumerate(desks):
        check_apart(folder, desk, desks[:at])
        check_own_functions(folder, desk.client)
    print(f"{folder}: {len(tiers.tiers)} tiers and {len(found)} clients are valid")
    for desk in desks:
        print(f"  {desk.client.client}: tier {desk.client.tier}, {desk.tier.name}; home {home()}")
        bases = [*base_notes(desk.client), *served_base_notes(desk)]
        for note in [*relabel_notes(desk.client), *rule_notes(desk), *bases]:
            print(f"    look at {note}")


def _onboard(options: argparse.Namespace) -> None:
    from upkeep.commands.first_files import first_cases, golden_set, label_notes
    from upkeep.commands.separate_stores import check_apart, neighbours
    from upkeep.records import load
    from upkeep.stages.onboarding import REDACTED, Redaction, onboard

    desk = open_desk(options.client)
    check_apart(configs(), desk, neighbours(configs(), options.client))
    cases, golden = first_cases(options.cases), golden_set(options.golden, desk.client)
    for note in label_notes(desk.client, cases, golden):
        print(f"  look at {note}")
    made = onboard(desk, cases=cases, golden=golden, as_of=as_of(options), seed=options.seed, progress=OnTerminal())
    print(f"{options.client}: version {made.version} is in service, trained on {made.trained_on:,} cases")
    print(f"  {load(desk.store, REDACTED, Redaction)}")


def _review(options: argparse.Namespace) -> None:
    from upkeep.chain import watch
    from upkeep.stages.review_summary import summary

    desk = open_desk(options.client)
    noted, returned, order = watch(desk, as_of(options))
    for one in returned:
        _came_back(options.client, one)
    print(f"{options.client} {noted.review.week}: {noted.review.figures.requests:,} requests")
    for line in summary(desk, noted):
        print(f"  {line.replace('- ', '', 1).replace('**', '')}")
    if order:
        print(f"  change order {order.period}: {order.why_extra}; for: {order.reason}")
    announce_changes(desk)


def _came_back(client: str, one: Returned) -> None:
    print(f"{client} {one}")


def _audit(options: argparse.Namespace) -> None:
    from upkeep.stages.auditing import draw_audit, sheet_key

    desk = open_desk(options.client)
    if options.to:
        make_folder(options.to)
    drawn = draw_audit(desk, as_of(options))
    if not drawn.asked:
        print(f"{options.client} {drawn.week}: {drawn.requests:,} requests, nothing to ask")
        return
    path = options.to or Path(f"{options.client}-{drawn.week}.xlsx")
    path.write_bytes(desk.store.read(sheet_key(drawn.week)))
    print(f"{path}: {len(drawn.asked)} of {drawn.requests:,} requests of {drawn.week} to answer")


def _audited(options: argparse.Namespace) -> None:
    from upkeep.stages.auditing import return_audit

    if not options.sheet.is_file():
        raise SheetError(f"{options.sheet}: no such file, expected the .xlsx file that `upkeep audit` wrote, filled in")
    back = return_audit(open_desk(options.client), options.sheet.read_bytes(), at=as_of(options))
    print(f"{options.client} {back.week}: {back.answered} answers taken in, {back.blank} rows left blank")
    for one in back.rejected:
        print(f"  row {one.row} not used: {one.reason}")


def _reviewed(options: argparse.Namespace) -> None:
    from upkeep.stages.reviewing import return_file

    if not options.file.is_file():
        raise SheetError(
            f"{options.file}: no such file, expected a batch from to-review/ in the client's store, filled in"
        )
    data = options.file.read_bytes()
    print(return_file(open_desk(options.client), data, name=options.file.name, by=options.by, at=as_of(options)))


def _rules(options: argparse.Namespace) -> None:
    from upkeep.stages.rules import decide_rule, rule_named

    desk = open_desk(options.client)
    if options.since and not options.accept:
        raise RuleError(f"--since is {options.since}: expected --accept with it")
    if options.accept or options.refuse:
        if not (options.rule and options.by):
            raise RuleError(f"rule is {options.rule}, --by is {options.by}: expected the id of a rule and who decides")
        decide_rule(desk, options.rule, accepted=options.accept, by=options.by, at=as_of(options), since=options.since)
    for one in [rule_named(desk, options.rule)] if options.rule else desk.found_rules():
        print(f"{one.id} {one.state}: {one}")
        for text in one.examples:
            print(f"  “{text}”")


def _data(options: argparse.Namespace) -> None:
    from upkeep.stages.snapshot import differences, rebuild, snapshot, snapshots

    desk = open_desk(options.client)
    if not options.period:
        if options.since or options.rebuild:
            asked = f"--since {options.since}" if options.since else "--rebuild"
            wanted = f"`upkeep data {options.client} PERIOD {asked}`"
            raise SnapshotError(f"{asked}: found no period, expected {wanted}")
        for one in snapshots(desk):
            print(f"{one.period}: {one.lessons:,} cases, {len(one.labels)} labels, {one.terms.moment:%Y-%m-%d}")
        return
    made = snapshot(desk, options.period)
    print(f"{options.client} {made.period}: {made.lessons:,} cases, {len(made.labels)} labels, SHA-256 {made.digest}")
    told = {"answers superseded": made.superseded, "rejected in review": len(made.rejected), **made.left_out}
    for what, n in told.items():
        print(f"  {n:,} {what}")
    print(f"  proof: {made.proof}")
    for line in differences(desk, options.since, made.period) if options.since else []:
        print(f"  since {options.since}: {line}")
    if options.rebuild:
        print(f"  rebuilt from {len(made.sources)} files: the same {len(rebuild(desk, made.period)):,} bytes")


def _report(options: argparse.Namespace) -> None:
    from upkeep.chain import report
    from upkeep.store import address

    desk = open_desk(options.client)
    made = report(desk, as_of(options))
    print(f"{options.client} {made.month}: {made.health.value}; {address(desk.store, f'reports/{made.month}.html')}")


def _retrain(options: argparse.Namespace) -> None:
    from upkeep.chain import retrain
    from upkeep.entitlement import Claim
    from upkeep.stages.contract import goes_on, is_included

    desk, at = open_desk(options.client), as_of(options)
    included = is_included(desk, at, options.reason)
    if isinstance(included, Claim) and (going_on := goes_on(desk, included, at)):
        print(f"{options.client}: {going_on}")
    hear = partial(_came_back, options.client)
    made = retrain(desk, at, reason=options.reason, seed=options.seed, progress=OnTerminal(), hear=hear)
    _told(options.client, made)
    announce_changes(desk)


def _variant(options: argparse.Namespace) -> None:
    from upkeep.chain import variant

    seeds = _lines(options.seeds) if options.seeds else []
    desk = open_desk(options.client)
    made = variant(
        desk,
        options.label,
        seeds,
        as_of(options),
        reason=options.reason,
        by=options.by,
        wait=not options.now,
        seed=options.seed,
        progress=OnTerminal(),
        hear=partial(_came_back, options.client),
    )
    _told(options.client, made)
    announce_changes(desk)


def _variants(options: argparse.Namespace) -> None:
    from upkeep.stages.variant import candidates_for, open_use_cases

    desk = open_desk(options.client)
    for begun in open_use_cases(desk, as_of(options)):
        state = begun.waiting or "its cases are reviewed, the next scheduled review takes it up"
        print(f"{begun.begun.period}: {state}")
    for one in candidates_for(desk, as_of(options)):
        print(f"{one.label or 'a new category?'}: {one.why}")
        for text in one.examples:
            print(f"  “{text}”")
        print(f"  {one.command(options.client)}")


def _told(client: str, made: Decision | ChangeOrder | Waiting) -> None:
    from upkeep.stages.decisions import Decision

    if isinstance(made, Decision):
        print(f"{client} {made.period}: {made.verdict.value}{' and in service' if made.applied else ''}")
        for reason in made.reasons:
            print(f"  {reason}")
        return
    print(f"{client}: {made}")


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise VariantError(f"{path}: no such file, expected a text file with one example a line")
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as exc:
        raise VariantError(f"{path}: not UTF-8: {exc}; expected a text file with one example a line") from exc


if __name__ == "__main__":
    raise SystemExit(main())
