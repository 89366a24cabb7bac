"""How is a benchmark's table printed? As Markdown, a row as soon as it is known."""

from __future__ import annotations


def head(*cells: str) -> None:
    """The row of names and the line under it."""
    row(*cells)
    row(*["---"] * len(cells))


def row(*cells: str) -> None:
    """One row."""
    print("| " + " | ".join(cells) + " |", flush=True)
