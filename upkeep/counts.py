"""How is it told how many of a thing there are?"""

from __future__ import annotations


def count_of(n: int, one: str, many: str = "") -> str:
    """`1 case`, `1,204 cases`; `many` where that is not `one` with an s."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"
