"""Is a model taught to write faster than by a plain run of transformers' Trainer? `python -m benchmarks.writing`

Both teach a LoRA adapter of the same shape the same answers, on the same Llama with random weights, for so many steps;
meant for a GPU, where `1b` is a model of 1.2 billion weights. Needs the shared data (UPKEEP_DATA, default
../shared/data).

* plain: a lesson a row, padded to the longest of its batch, in random order, bf16 autocast, loss on answers only;
* ours: `upkeep.training.sft_processes.run_together` with the recipe `lora-chat`, as a retrain does it; with `nf4` the
  base model is in 4 bits.

Tokens are those of lessons, padding is none. A step's operations are counted as those of the matrices that are not
learned, once forward and once for the gradients that pass through them: 4 for each weight and token.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.llama import SHAPES, write_llama
from benchmarks.table import head, row
from upkeep.base_model import Base, LocalModel, resolve_base
from upkeep.hardware import device, dtype, fused_kernels
from upkeep.home import configs, prepare_process
from upkeep.models.chat import Chat, Lesson, pack
from upkeep.models.generator import load_causal, load_tokenizer
from upkeep.models.out_of_memory import free_memory
from upkeep.progress import OnTerminal
from upkeep.recipes import ChatRecipe, load_recipe
from upkeep.training.sft_processes import SftWork, begin, launcher, run_together
from upkeep.training.trainer import Lessons, collate

HELD = 64
"""Lessons that only the looks are taken on."""
SEED = 0


class Taught(NamedTuple):
    """Tokens of lessons a second while it learns, seconds of all with looks and checkpoints, and GiB of GPU memory."""

    rate: float
    seconds: float | None
    memory: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="1b", choices=SHAPES)
    parser.add_argument("--rows", type=int, default=3000, help="so many lessons")
    parser.add_argument("--steps", type=int, default=40, help="of the plain run")
    parser.add_argument("--batch", type=int, action="append", help="rows of a plain step; default: 8 and 32")
    parser.add_argument(
        "--precision", action="append", choices=["bf16", "fp32", "nf4"], help="ours; default: bf16, nf4"
    )
    options = parser.parse_args()
    prepare_process()
    with tempfile.TemporaryDirectory() as scratch:
        compared(Path(scratch), options)


def compared(folder: Path, options: argparse.Namespace) -> None:
    """Teach each way and print a row of it."""
    pairs = answered(options.rows + HELD)
    texts = [text for pair in pairs for text in pair]
    write_llama(folder / "base", texts, words=8192, bf16=True, **SHAPES[options.shape])
    base = resolve_base(LocalModel(path=str(folder / "base")))
    recipe = load_recipe(configs(), "lora-chat")
    if not isinstance(recipe, ChatRecipe):
        raise SystemExit("lora-chat: expected a recipe for generation")
    recipe = recipe.model_copy(update={"epochs": 1})
    chat = Chat(load_tokenizer(base), recipe.max_tokens, recipe.max_new_tokens)
    lessons = [chat.lesson(*pair) for pair in pairs]
    weights, most = multiplied(base), peak(recipe, options.shape)
    print(f"{len(lessons):,} lessons of {statistics.fmean(one.size for one in lessons):.0f} tokens; ", end="")
    print(f"{weights:,} weights that multiply; `torch.matmul` {most / 1e12:.3g} TFLOP/s; ", end="")
    print(f"fused kernels: {fused_kernels()}; {described()}\n")
    head("way", "tokens/s", "share of the matrix peak", "GiB", "ours is so many times as fast")
    found: dict[str, Taught] = {}
    for size in options.batch or [8, 32]:
        found[f"plain, {size} rows a step"] = plain(base, lessons, recipe, size=size, steps=options.steps)
    for precision in options.precision or ["bf16", "nf4"]:
        kind = recipe.model_copy(update={"precision": precision})
        found[f"ours, {precision}"] = ours(base, lessons, kind, folder=folder / precision)
    best = found[f"ours, {(options.precision or ['bf16'])[0]}"]
    for name, one in found.items():
        share = 4 * weights * one.rate / most
        row(name, f"{one.rate:,.0f}", f"{share:.1%}", f"{one.memory:.1f}", f"{best.rate / one.rate:.1f}")
    capacity = recipe.max_tokens + recipe.max_new_tokens
    sizes = [len(one.tokens) for one in pack(lessons[HELD:], capacity=capacity)]
    print(f"\nours: {best.seconds:.0f} s for {sum(sizes):,} tokens in {len(sizes):,} sequences, ", end="")
    print("start, looks and checkpoints in it")


def answered(count: int) -> list[tuple[str, str]]:
    """Requests to a shop with the answers of Bitext's second version."""
    import pyarrow.parquet as pq

    path = Path(os.environ.get("UPKEEP_DATA", "../shared/data")) / "bitext_support" / "bitext_support.parquet"
    rows = pq.read_table(path, columns=["text", "response", "split"]).to_pylist()
    return [(one["text"], one["response"]) for one in rows if one["split"] == "v2"][:count]


def plain(base: Base, lessons: Sequence[Lesson], recipe: ChatRecipe, *, size: int, steps: int) -> Taught:
    """Teach as a tutorial does, a lesson a row."""
    import torch
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    model = begin(SftWork(base, "bf16", recipe, Lessons([], []), SEED, None)).model
    ends: list[float] = []
    tokens: list[int] = []

    class Ends(TrainerCallback):  # type: ignore[misc]
        def on_log(self, *_: Any, logs: Mapping[str, float], **__: Any) -> None:
            ends.extend([time.perf_counter()] if "loss" in logs else [])

    def counted(packs: Sequence[Any]) -> dict[str, torch.Tensor]:
        tokens.append(sum(len(one.tokens) for one in packs))
        return collate(packs)

    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch, per_device_train_batch_size=size, max_steps=steps, learning_rate=recipe.learning_rate,
            bf16=dtype("bf16") is torch.bfloat16, use_cpu=device() == "cpu", seed=SEED, logging_steps=1,
            save_strategy="no", report_to="none", disable_tqdm=True, remove_unused_columns=False,
        )  # fmt: skip
        trainer = Trainer(
            model=model, args=arguments, train_dataset=pack(lessons[HELD:], capacity=1), data_collator=counted,
            callbacks=[Ends()],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    memory = used()
    del model, trainer
    free_memory()
    warm = len(ends) // 3
    return Taught(sum(tokens[warm + 1 : len(ends)]) / (ends[-1] - ends[warm]), None, memory)


def ours(base: Base, lessons: Sequence[Lesson], recipe: ChatRecipe, *, folder: Path) -> Taught:
    """Teach as a retrain does."""
    say = OnTerminal()
    rates: list[float] = []
    memory: list[float] = []

    def measured(values: Mapping[str, float], _: int) -> None:
        rates.extend(value for name, value in values.items() if name == "training/tokens_per_second")
        memory.append(used())

    capacity = recipe.max_tokens + recipe.max_new_tokens
    held, train = (pack(some, capacity=capacity) for some in (lessons[:HELD], lessons[HELD:]))
    work = SftWork(base, recipe.precision, recipe, Lessons(train, held), SEED, None)
    began = time.perf_counter()
    run_together(launcher() or [sys.executable], work, folder=folder, progress=say, measured=measured)
    return Taught(statistics.median(rates[len(rates) // 3 :]), time.perf_counter() - began, max(memory))


def multiplied(base: Base) -> int:
    """How many weights of the base model multiply each token: all but norms and embeddings, which are looked up."""
    model, _ = load_causal(base, "bf16")
    layers = sum(weight.numel() for weight in model.model.layers.parameters() if weight.dim() == 2)
    found = int(layers + model.get_output_embeddings().weight.numel())
    del model
    free_memory()
    return found


def peak(recipe: ChatRecipe, shape: str) -> float:
    """Multiplications and additions a second of a step's tokens with an MLP's weight, by `torch.matmul` in bf16."""
    import torch

    width, inner = SHAPES[shape]["hidden_size"], SHAPES[shape]["intermediate_size"]
    tokens = recipe.batch_size * (recipe.max_tokens + recipe.max_new_tokens)
    kind = {"dtype": dtype("bf16"), "device": device()}
    one, other = torch.randn(tokens, width, **kind), torch.randn(inner, width, **kind).T  # type: ignore[call-overload]
    return float(2 * tokens * width * inner / min(_seconds(lambda: one @ other) for _ in range(5)))


def _seconds(work: Callable[[], object], times: int = 20) -> float:
    import torch

    def waited() -> float:
        if device() == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    work()
    began = waited()
    for _ in range(times):
        work()
    return (waited() - began) / times


def used() -> float:
    """GiB of the GPU's memory that somebody holds, as the driver says; 0 without one."""
    import torch

    if device() == "cpu":
        return 0.0
    left, whole = torch.cuda.mem_get_info()
    return float((whole - left) / 2**30)


def described() -> str:
    """What it runs on, and on which torch."""
    import torch

    name = torch.cuda.get_device_name() if device() == "cuda" else "a processor"
    return f"{name}, torch {torch.__version__}"


if __name__ == "__main__":
    main()
