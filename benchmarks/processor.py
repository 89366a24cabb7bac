"""How much of what this processor can multiply does a training use, and where does the rest of a step go?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.intents import Rows
from benchmarks.ways import STEPS
from upkeep.training.finetuning import finetune

if TYPE_CHECKING:
    import torch

PRODUCTS = frozenset({"mm", "addmm", "bmm", "baddbmm"})
GROUPS = {
    "GELU": ("gelu",),
    "softmax": ("softmax",),
    "layer norm": ("layer_norm",),
    "copies and conversions": ("copy", "clone", "cat", "index", "fill", "zero"),
    "sums and products by element": ("add", "mul", "div", "sum", "sub", "neg"),
}
"""Operators by what their name has in it, the first that fits."""
OUTSIDE = "outside of operators: Python, tokens"
PROFILED = 20
"""Steps of a training that are looked at by operator."""


class Peak(NamedTuple):
    """The most multiplications and additions a second, of a row of texts with a square and with a wide weight."""

    square: float
    wide: float


class Work(NamedTuple):
    """Multiplications and additions in the steps of a training after the first, and how many steps those are."""

    operations: int
    steps: int


def peak(tokens: int, *, width: int, inner: int, precision: str) -> Peak:
    """Measure `torch.matmul` at the shapes of an encoder's layers: (tokens, width) by (width, width) and by inner."""
    import torch

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    rows = torch.randn(tokens, width).to(kind)
    rates = []
    for out in (width, inner):
        weight = torch.randn(out, width).to(kind).T  # as a linear layer has it
        seconds = _least(lambda weight=weight: torch.matmul(rows, weight))  # type: ignore[misc]
        rates.append(2 * tokens * width * out / seconds)
    return Peak(*rates)


def _least(work: Callable[[], torch.Tensor], rounds: int = 20, times: int = 20) -> float:
    """Seconds of the fastest round, by time: other work on the machine only ever slows one down."""
    import torch

    found = []
    with torch.inference_mode():
        for _ in range(rounds):
            begun = time.perf_counter()
            for _ in range(times):
                work()
            found.append((time.perf_counter() - begun) / times)
    return min(found)


def of_layer(at: Peak, *, width: int, inner: int) -> float:
    """Operations a second of a layer at the peak: four square products and two wide ones."""
    square, wide = 4 * width * width, 2 * width * inner
    return (square + wide) / (square / at.square + wide / at.wide)


def counted(rows: Rows, *, seed: int) -> Work:
    """Count the operations that a training really runs, layer by layer, in its steps after the first."""
    from torch.utils.flop_counter import FlopCounterMode

    seen: list[int] = []

    def after(what: str, *_: int) -> None:
        if what == STEPS:
            seen.append(counter.get_total_flops())

    with FlopCounterMode(display=False) as counter:
        finetune(rows.base, rows.taught, client=rows.client, recipe=rows.recipe, seed=seed, progress=after)
    return Work(seen[-1] - seen[0], len(seen) - 1)


def shares(rows: Rows, *, seed: int) -> dict[str, float]:
    """What part of the time of some steps goes where, most first."""
    from torch.profiler import ProfilerActivity, profile

    profiler = profile(activities=[ProfilerActivity.CPU])
    times: list[float] = []

    def after(what: str, done: int, total: int) -> None:
        if what != STEPS:
            return
        if done == 1:
            profiler.start()
            times.append(time.perf_counter())
        elif done == min(PROFILED + 1, total):
            times.append(time.perf_counter())
            profiler.stop()

    finetune(rows.base, rows.taught, client=rows.client, recipe=rows.recipe, seed=seed, progress=after)
    took = {one.key: one.self_cpu_time_total / 1e6 for one in profiler.key_averages()}
    return grouped(took, whole=times[1] - times[0])


def grouped(took: Mapping[str, float], *, whole: float) -> dict[str, float]:
    """Shares of the whole by kind of operator, most first; what no operator took is outside."""
    found = {OUTSIDE: whole - sum(took.values())}
    for name, seconds in took.items():
        found[kind_of(name)] = found.get(kind_of(name), 0.0) + seconds
    return {name: seconds / whole for name, seconds in sorted(found.items(), key=lambda one: -one[1])}


def kind_of(operator: str) -> str:
    """What kind of work an operator does; autograd's own notes are none."""
    plain = operator.removeprefix("aten::")
    if plain in PRODUCTS:
        return "matrix products"
    if plain == operator:
        return "other operators"
    return next((kind for kind, parts in GROUPS.items() if any(one in plain for one in parts)), "other operators")
