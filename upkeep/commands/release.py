"""Which commands are about decisions and the model in service?"""

from __future__ import annotations

import argparse
from pathlib import Path

from upkeep.commands.common import Commands, announce_changes, as_of, file_there, for_client, moment, open_desk
from upkeep.counts import count_of
from upkeep.errors import DecisionError
from upkeep.progress import OnTerminal


def add_release_commands(commands: Commands) -> None:
    """`answer`, `decisions`, `approve`, `refuse` and `rollback`."""
    about = "answer a file of requests, however long, by a registered version"
    answer = for_client(commands, "answer", _answer, about)
    answer.add_argument("requests", type=file_there, help="JSONL with id, input, as a log has them")
    answer.add_argument("answers", type=Path, help="the JSONL file to write")
    answer.add_argument("--version", help="a version in MLflow; default: the one in service")

    about = "list what was decided, what became of it and what was in service"
    listed = for_client(commands, "decisions", _decisions, about)
    listed.add_argument("--again", action="store_true", help="judge each decision again from its record, and compare")
    moment(listed)

    approve = for_client(commands, "approve", _approve, "promote a challenger that won and waits for a person")
    refuse = for_client(commands, "refuse", _refuse, "write down that a challenger that won is not to be promoted")
    for name, command in (("approve", approve), ("refuse", refuse)):
        command.add_argument("period", help="the decision's period, such as 2026-Q4")
        command.add_argument("--by", required=True, help=f"who {name}s")
        command.add_argument("--reason", required=True, help="why, for the record")
        moment(command)
    approve.add_argument("--override", action="store_true", help="although it did not win, or has expired")

    rollback = for_client(commands, "rollback", _rollback, "put the previous champion back into service")
    rollback.add_argument("--by", required=True, help="who goes back")
    rollback.add_argument("--reason", required=True, help="why, for the record")
    rollback.add_argument("--to", metavar="VERSION", help="an earlier version; default: the one before")
    moment(rollback)


def _answer(options: argparse.Namespace) -> None:
    from upkeep.models.batch_answering import answer_file
    from upkeep.stages.finetuning import load_model
    from upkeep.stages.release import in_service

    desk = open_desk(options.client)
    version = options.version or in_service(desk)
    done = answer_file(
        load_model(desk, version), options.requests, options.answers, version=version, progress=OnTerminal()
    )
    print(f"{count_of(done.answered, 'request')} answered by version {version}: {options.answers}")
    if done.rejected:
        lines = count_of(done.rejected, "line")
        print(f"{lines} cannot be used, each with what is wrong with it: {done.rejects}")


def _decisions(options: argparse.Namespace) -> None:
    from upkeep.stages.approval import standing
    from upkeep.stages.comparison import judge_again
    from upkeep.stages.decisions import decisions
    from upkeep.stages.model_variant import first_decision
    from upkeep.stages.release import release_log

    desk, at = open_desk(options.client), as_of(options)
    listed = [(one, standing(desk, one, at).value) for one in decisions(desk)]
    if first := first_decision(desk):
        listed.insert(0, (first, "went into service" if first.applied else "not in service"))
    otherwise = 0
    for made, state in listed:
        print(f"{made.period}: {made.verdict}, version {made.challenger} against {made.champion}; {state}")
        print(*(f"  {line}" for line in (*made.reasons, *made.notes)), sep="\n")
        if options.again and made.terms is None:
            print("  judged again: cannot be, it was made before terms were kept")
        elif options.again:
            differences = judge_again(desk, made)
            otherwise += bool(differences)
            print(*(f"  judged again: {line}" for line in differences or ["identical"]), sep="\n")
    print("In service:", *(f"  {entry}" for entry in release_log(desk)), sep="\n")
    if otherwise:
        told = count_of(otherwise, "decision comes", "decisions come")
        raise DecisionError(f"client {options.client}: {told} out otherwise than recorded")


def _approve(options: argparse.Namespace) -> None:
    from upkeep.stages.approval import approve

    desk = open_desk(options.client)
    made = approve(
        desk,
        options.period,
        by=options.by,
        reason=options.reason,
        at=as_of(options),
        override=options.override,
    )
    print(f"{options.client}: version {made.challenger} is in service, approved by {made.applied_by}")
    announce_changes(desk)


def _refuse(options: argparse.Namespace) -> None:
    from upkeep.stages.approval import refuse

    said = refuse(open_desk(options.client), options.period, by=options.by, reason=options.reason, at=as_of(options))
    print(f"{options.client}: {said.period} is refused by {said.by}; the champion stays")


def _rollback(options: argparse.Namespace) -> None:
    from upkeep.stages.release import roll_back

    desk = open_desk(options.client)
    done = roll_back(desk, by=options.by, reason=options.reason, at=as_of(options), to=options.to)
    print(f"{options.client}: version {done.version} is back in service")
    announce_changes(desk)
