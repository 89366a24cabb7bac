"""Which commands begin with a client, and look over what was agreed?"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from upkeep.cases.model_variant import Part
from upkeep.commands.common import Commands, as_of, for_client, heard, moment, open_desk, seed, why
from upkeep.commands.first_files import first_cases, golden_set, label_notes
from upkeep.commands.separate_stores import check_apart, neighbours
from upkeep.counts import count_of
from upkeep.home import configs, home
from upkeep.progress import OnTerminal
from upkeep.recipes import load_recipe
from upkeep.strict_yaml import names
from upkeep.tiers import load_tiers


def add_client_commands(commands: Commands) -> None:
    """`check`, `onboard` and `model-variant`."""
    check = commands.add_parser("check", help="validate every config")
    check.set_defaults(run=_check)

    onboard = for_client(
        commands, "onboard", _onboard, "store first cases and golden set, train and start the first model"
    )
    onboard.add_argument("--cases", type=Path, required=True, help="JSONL with id, text, answer")
    onboard.add_argument(
        "--golden", type=Path, required=True, help="JSONL with id, text, answer[, valid_from, valid_to, by]"
    )
    moment(onboard)
    seed(onboard)

    about = "give a part of the client's requests a model of its own, if it is better there than the client's"
    variant = for_client(commands, "model-variant", _model_variant, about)
    variant.add_argument("--variant", required=True, metavar="CLIENT", help="the client, with its config, that it is")
    variant.add_argument(
        "--part", required=True, type=_part, metavar="KEY=VALUE", help="its requests' metadata: a key of review_by"
    )
    variant.add_argument("--cases", type=Path, help="examples besides the client's: JSONL as for onboard")
    variant.add_argument("--golden", type=Path, help="evaluation items besides the client's: JSONL as for onboard")
    variant.add_argument("--by", default="", help="who wants it")
    why(variant)
    variant.add_argument("--approve", action="store_true", help="put it into service whatever the verdict is")
    moment(variant)
    seed(variant)


def _part(text: str) -> Part:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected KEY=VALUE such as channel=mail")
    return Part(key, value)


def _check(options: argparse.Namespace) -> None:  # noqa: ARG001 -- every command takes its options
    from upkeep.commands.readiness import (
        base_notes,
        channel_notes,
        check_own_functions,
        golden_notes,
        log_notes,
        relabel_notes,
        rule_notes,
        served_base_notes,
    )
    from upkeep.commands.wholeness import registry_notes, service
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
    print(f"{folder}: {count_of(len(tiers.tiers), 'tier')} and {count_of(len(found), 'client')} are valid")
    unasked = [note for desk in desks[:1] for note in registry_notes(desk.registry)]  # it is the same for all
    for note in unasked:
        print(f"  look at {note}")
    for desk in desks:
        served = service(desk, ask=not unasked)
        version = f"; version {served.version} in service" if served.version else ""
        print(f"  {desk.client.client}: tier {desk.client.tier}, {desk.tier.name}{version}; home {home()}")
        bases = [*served.notes, *base_notes(desk.client), *served_base_notes(desk)]
        agreed = [*relabel_notes(desk.client), *rule_notes(desk), *golden_notes(desk), *log_notes(desk)]
        for note in [*agreed, *bases, *channel_notes(desk.client)]:
            print(f"    look at {note}")


def _onboard(options: argparse.Namespace) -> None:
    from upkeep.desk import LAUNCH
    from upkeep.records import load
    from upkeep.stages.onboarding import REDACTED, Redaction, not_trained_on, onboard
    from upkeep.stages.sole_training import sole_training

    desk = open_desk(options.client)
    check_apart(configs(), desk, neighbours(configs(), options.client))
    cases, golden = first_cases(options.cases), golden_set(options.golden, desk.client)
    for note in label_notes(desk.client, cases, golden):
        print(f"  look at {note}")
    with sole_training(options.client, LAUNCH):
        made = onboard(desk, cases=cases, golden=golden, as_of=as_of(options), seed=options.seed, progress=OnTerminal())
    taught = f"trained on {made.trained_on:,} of {count_of(len(cases), 'case')}"
    print(f"{options.client}: version {made.version} is in service, {taught}")
    if others := not_trained_on(desk, made, len(cases)):
        print(f"  the others: {others}")
    print(f"  {load(desk.store, REDACTED, Redaction)}")
    alone = f"{made.expected_automatic:.0%} of those kept to fit the threshold would be answered without a person"
    print(f"  {alone if made.expected_automatic else made.alone}")


def _model_variant(options: argparse.Namespace) -> None:
    from upkeep.chain import model_variant
    from upkeep.entitlement import ChangeOrder

    client, variant = open_desk(options.client), open_desk(options.variant)
    check_apart(configs(), variant, neighbours(configs(), options.variant))
    cases = first_cases(options.cases) if options.cases else []
    golden = golden_set(options.golden, variant.client) if options.golden else []
    for note in label_notes(variant.client, cases, golden):
        print(f"  look at {note}")
    made = model_variant(
        client,
        variant,
        options.part,
        as_of(options),
        cases=cases,
        golden=golden,
        reason=options.reason,
        by=options.by,
        approve=options.approve,
        seed=options.seed,
        progress=OnTerminal(),
        hear=partial(heard, options.variant),
    )
    if isinstance(made, ChangeOrder):
        print(f"{options.client}: {made}")
        return
    print(f"{options.variant}: {made.verdict.value}{' and in service' if made.applied else ', not in service'}")
    for line in (*made.reasons, *made.notes):
        print(f"  {line}")
    if not made.applied:
        print("  more --cases or --golden begin it anew; --approve --by NAME --reason WHY takes it as it is")
