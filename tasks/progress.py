"""How does a task say on its run page how far it is?"""

from __future__ import annotations

from prefect import get_run_logger

from upkeep.progress import Progress

STEPS = 5


def on_run_page() -> Progress:
    """Log every fifth of a long piece of work once."""
    log = get_run_logger()
    shown: set[tuple[str, int]] = set()

    def progress(what: str, done: int, total: int) -> None:
        step = STEPS * done // max(total, 1)
        if step and (what, step) not in shown:
            shown.add((what, step))
            log.info("%s: %d of %d", what, done, total)

    return progress
