"""What do the commands have in common: a client, a time to act at, its desk, and telling its channels?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from upkeep.config import load_client
from upkeep.entitlement import NO_REASON, given_reason
from upkeep.errors import ConfigError, DeliveryError
from upkeep.home import configs
from upkeep.periods import moment_of, require_past

if TYPE_CHECKING:
    from upkeep.desk import Desk
    from upkeep.entitlement import ChangeOrder
    from upkeep.stages.decisions import Decision
    from upkeep.stages.waiting import Waiting


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def for_client(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], None], about: str
) -> argparse.ArgumentParser:
    """A command that does something for one client."""
    command = commands.add_parser(name, help=about)
    command.add_argument("client")
    command.set_defaults(run=run)
    return command


def moment(command: argparse.ArgumentParser) -> None:
    """Let a command be asked for as if it were another time."""
    about = "as if it were then, which is not yet to come (ISO 8601; without offset: the client's zone)"
    command.add_argument("--as-of", type=time_of, metavar="TIME", help=about)


def seed(command: argparse.ArgumentParser) -> None:
    """Let a command that trains be asked for with other chances."""
    command.add_argument("--seed", type=int, default=0, help="of what training draws by chance (default 0)")


def why(command: argparse.ArgumentParser) -> None:
    """Let a command be told a reason; one left empty is none."""
    command.add_argument("--reason", type=given_reason, default=NO_REASON, help="why, for the record")


def time_of(text: str) -> datetime:
    """A day or a time in ISO 8601. Raises argparse.ArgumentTypeError saying what was wanted."""
    try:
        return moment_of(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def file_there(text: str) -> Path:
    """The path of a file. Raises argparse.ArgumentTypeError where there is none."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"found no file {text}")
    return path


def make_folder(path: Path) -> None:
    """Make the folder of a file that a command will write, before it works for it. Raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{path}: no such folder, and it cannot be made: {exc.strerror}") from exc


def as_of(options: argparse.Namespace) -> datetime:
    """The time that was asked for, else now. Raises MomentError for one that is yet to come."""
    now = datetime.now(UTC)
    if options.as_of:
        require_past(options.as_of, load_client(configs(), options.client).zone, now=now)
    return options.as_of or now


def open_desk(client: str) -> Desk:
    """The client's desk, opened when a command needs it: what it brings is heavy."""
    from upkeep import desk

    return desk.open_desk(client)


def announce_changes(desk: Desk) -> None:
    """Tell the client's channels; one that cannot be told now is told by the next review."""
    from upkeep.adapters.notifier import from_environment
    from upkeep.stages.announcing import announce

    try:
        for line in announce(desk, from_environment):
            print(line)
    except DeliveryError as exc:
        print(f"upkeep: not told yet, the next review tries again: {exc}", file=sys.stderr)


def heard(client: str, line: str) -> None:
    """Say what came back or was collected, or what people are asked to look over."""
    print(f"{client} {line}")


def show_outcome(desk: Desk, made: Decision | ChangeOrder | Waiting) -> None:
    """Say what became of a retrain: a decision with its reasons, a change order, and what it waits for."""
    from upkeep.stages.approval import waiting_for_approval
    from upkeep.stages.decisions import Decision

    client = desk.client.client
    if isinstance(made, Decision):
        print(f"{client} {made.period}: {made.verdict.value}{' and in service' if made.applied else ''}")
        for line in (*made.reasons, *made.notes):
            print(f"  {line}")
        for line in waiting_for_approval(desk, made.as_of):
            print(f"  {line}")
        return
    print(f"{client}: {made}")
