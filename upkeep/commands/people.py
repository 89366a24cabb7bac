"""Which commands ask people something, and take in what they say?"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from upkeep.commands.common import Commands, as_of, for_client, make_folder, moment, open_desk
from upkeep.counts import count_of
from upkeep.errors import RuleError, SheetError
from upkeep.tiers import Service


def add_people_commands(commands: Commands) -> None:
    """`audit`, `audited`, `reviewed`, `rules` and `book`."""
    audit = for_client(commands, "audit", _audit, "draw last week's audit sample and write its sheet to fill in")
    audit.add_argument("--to", type=Path, help="the .xlsx file to write, default <client>-<week>.xlsx here")
    moment(audit)

    audited = for_client(commands, "audited", _audited, "take in a filled audit sheet, all of it or part")
    audited.add_argument("sheet", type=Path, help="the .xlsx file")
    moment(audited)

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

    about = "write down what was done under the contract, or open a change order where the tier does not include it"
    book = for_client(commands, "book", _book, about)
    book.add_argument("service", choices=[one.value for one in Service], help="what people did")
    book.add_argument("--by", required=True, help="who did it")
    book.add_argument("--reason", required=True, help="what exactly, for the record and the client's report")
    moment(book)


def _audit(options: argparse.Namespace) -> None:
    from upkeep.stages.auditing import draw_audit, sheet_key

    desk = open_desk(options.client)
    if options.to:
        make_folder(options.to)
    drawn = draw_audit(desk, as_of(options))
    if not drawn.asked:
        print(f"{options.client} {drawn.week}: {count_of(drawn.requests, 'request')}, nothing to ask")
        return
    path = options.to or Path(f"{options.client}-{drawn.week}.xlsx")
    path.write_bytes(desk.store.read(sheet_key(drawn.week)))
    print(f"{path}: {len(drawn.asked)} of {count_of(drawn.requests, 'request')} of {drawn.week} to answer")


def _audited(options: argparse.Namespace) -> None:
    from upkeep.cases.returned import told_new
    from upkeep.stages.auditing import return_audit

    if not options.sheet.is_file():
        raise SheetError(f"{options.sheet}: no such file, expected the .xlsx file that `upkeep audit` wrote, filled in")
    with _named(options.sheet):
        back = return_audit(open_desk(options.client), options.sheet.read_bytes(), at=as_of(options))
    taken = count_of(back.answered, "answer")
    brought = f"{taken} taken in, {count_of(back.blank, 'row')} left blank"
    if back.again:
        before = f"this very sheet was taken in on {back.at:%Y-%m-%d %H:%M} already ({taken})"
        brought = f"{before}; nothing changed"
    print(f"{options.client} {back.week}: {brought}")
    if back.new:
        print(f"  {told_new(back.new)}")
    for one in back.rejected:
        print(f"  {one}")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Whatever is wrong with a file is told with its name. Raises SheetError."""
    try:
        yield
    except SheetError as exc:
        raise SheetError(f"{path}: {exc}") from exc


def _reviewed(options: argparse.Namespace) -> None:
    from upkeep.stages.returning import return_file

    if not options.file.is_file():
        raise SheetError(
            f"{options.file}: no such file, expected a batch from to-review/ in the client's store, filled in"
        )
    desk, data = open_desk(options.client), options.file.read_bytes()
    with _named(options.file):
        back = return_file(desk, data, name=options.file.name, by=options.by, at=as_of(options))
    print(back)


def _rules(options: argparse.Namespace) -> None:
    from upkeep.cases.relabel_rules import taken_back
    from upkeep.stages.rules import decide_rule, rule_named

    desk = open_desk(options.client)
    if options.since and not options.accept:
        raise RuleError(f"--since is {options.since}: expected --accept with it")
    if options.accept or options.refuse:
        if not (options.rule and options.by):
            raise RuleError(f"rule is {options.rule}, --by is {options.by}: expected the id of a rule and who decides")
        before, at = rule_named(desk, options.rule), as_of(options)
        now = decide_rule(desk, before.id, accepted=options.accept, by=options.by, at=at, since=options.since)
        if line := taken_back(before, now):
            print(line)
    found = [rule_named(desk, options.rule)] if options.rule else desk.found_rules()
    if not found:
        print(f"{options.client}: no rule was proposed")
    for one in found:
        print(f"{one.id} {one.state}: {one}")
        for text in one.examples:
            print(f"  “{text}”")
        for said in one.answers:
            print(f"  {said}")


def _book(options: argparse.Namespace) -> None:
    from upkeep.stages.contract import book_service, change_orders

    desk, asked = open_desk(options.client), Service(options.service)
    there = [*desk.bookings(), *change_orders(desk)]
    made = book_service(desk, asked, as_of(options), reason=options.reason, by=options.by)
    print(f"{options.client}: {'already written down: ' if made in there else ''}{made}")
