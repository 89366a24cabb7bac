"""Upkeep on the command line: `python -m upkeep COMMAND --help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from upkeep.commands.clients import add_client_commands
from upkeep.commands.people import add_people_commands
from upkeep.commands.release import add_release_commands
from upkeep.commands.replay import add_replay_command
from upkeep.commands.scheduled import add_scheduled_commands
from upkeep.commands.training_data import add_data_commands
from upkeep.errors import UpkeepError
from upkeep.home import prepare_process


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error of ours is one message and exit status 1, as is that nobody reads on.

    Ctrl-C is one message and 130, the status of what that signal ends.
    """
    prepare_process()
    try:
        status = _run(arguments)
        sys.stdout.flush()  # here, where that can be caught, and not at the interpreter's end
    except BrokenPipeError:
        # what is left unsaid goes nowhere, or the interpreter would fail at it once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:  # from a new line, as a terminal shows ^C and how far it was on this one
        print("\nupkeep: interrupted; what is kept stays, and the same command goes on from there", file=sys.stderr)
        return 130
    return status


def _run(arguments: Sequence[str] | None) -> int:
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
    add_client_commands(commands)
    add_scheduled_commands(commands)
    add_people_commands(commands)
    add_data_commands(commands)
    add_release_commands(commands)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
