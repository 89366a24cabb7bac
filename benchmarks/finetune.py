"""Is our fine-tuning faster than the usual ways, and as good? `python -m benchmarks.finetune`

On the same rows of a public set, with the same base encoder and seed, in one run:

* ours: `upkeep.training.finetuning.finetune` with the default recipe, from cases to a model with a threshold;
* stock: transformers' text-classification settings with LoRA added (`stock.py`), its learning rate chosen on the
  calibration rows, which costs it nothing here; the run that chose it, with texts of like length together, is told too;
* frozen: a logistic regression on the base model's mean-pooled embeddings, C chosen on the calibration rows;
* SetFit (`--only setfit`, beside ours and frozen): the same after its contrastive step, in an environment of its own;
  `--only frozen` is without it;
* all weights: trained in float32 from that regression, the rate chosen on the calibration rows at no cost.

Seconds are from texts to a model, with all imports done before; looks at the test texts are not in them. Ours is the
run in the middle of three that are spread over the whole time. Seconds of the processor stand beside them, as other
work on the machine makes a run longer. Needs the shared data (UPKEEP_DATA, default ../shared/data).
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

from benchmarks.intents import Rows, rows_of
from benchmarks.learned import Clock, Learned, Spent, less, reached
from benchmarks.monthly import month
from benchmarks.processor import Peak, counted, of_layer, peak, shares
from benchmarks.setfit_way import train_setfit
from benchmarks.stock import Stock, train_stock, tuned_rate
from benchmarks.table import head, row
from benchmarks.ways import Ours, fit_frozen, head_alone, looks_of, train_all, train_ours
from upkeep.evaluation.comparison import compare
from upkeep.hardware import hardware_precision
from upkeep.home import prepare_process
from upkeep.progress import OnTerminal
from upkeep.recipes import Start
from upkeep.statistics.rates import Rate

USUAL = ("ways", "processor", "month")
PARTS = (*USUAL, "frozen", "setfit")
RUNS = 3
WAYS = ("way", "right on the test rows", "ours against it", "to train", "processor", "times ours (processor)")


def main() -> None:
    """Print the tables of each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="banking77", choices=["banking77", "clinc150"], help="of ways and processor")
    parser.add_argument("--train", type=int, help="so many training rows, by chance; default: all")
    parser.add_argument("--epochs", type=int, default=3, help="of the stock way")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", default="lora-encoder", help="of ours, in ways and processor")
    parser.add_argument("--pairs", type=int, default=5, help="of each kind for a text, in setfit")
    parser.add_argument("--skip-full", action="store_true", help="do not train all weights")
    parser.add_argument("--only", choices=PARTS, action="append", help=f"a part; default: {', '.join(USUAL)}")
    options = parser.parse_args()
    prepare_process()
    parts = options.only or USUAL
    rows = rows_of(options.data, train=options.train, seed=options.seed, recipe=options.recipe)
    if "ways" in parts:
        ways(rows, epochs=options.epochs, seed=options.seed, full=not options.skip_full)
    if "processor" in parts:
        used(rows, seed=options.seed)
    if "month" in parts:
        monthly(seed=options.seed)
    if "frozen" in parts:
        embedded(rows, pairs=None, seed=options.seed)
    if "setfit" in parts:
        embedded(rows, pairs=options.pairs, seed=options.seed)


def ways(rows: Rows, *, epochs: int, seed: int, full: bool) -> None:
    """How good each way is and how long it takes, and how many texts a second are answered."""
    say = OnTerminal(every=0)
    stages = RUNS + 5 + full
    train_ours(rows, seed=seed)  # what is imported and compiled at first use is nobody's training
    frozen = fit_frozen(rows)
    start = head_alone(rows, seed=seed)
    runs = [train_ours(rows, seed=seed)]
    say("trained", 3, stages)
    chosen = tuned_rate(rows, epochs=epochs, seed=seed, progress=say)
    runs.append(train_ours(rows, seed=seed))
    say("trained", 5, stages)
    stock, learned = train_stock(rows, rate=chosen.rate, epochs=epochs, seed=seed)
    runs.append(train_ours(rows, seed=seed))
    say("trained", 7, stages)
    everything = [train_all(rows, frozen.fitted, seed=seed)] if full else []
    ours = sorted(runs, key=lambda one: one.learned.spent.seconds)[RUNS // 2]
    print(f"{len(rows.taught.train):,} rows taught, {len(rows.taught.calibration):,} to calibrate; ", end="")
    print(f"{len(rows.taught.labels)} labels; stock's learning rate {chosen.rate}, of {epochs} passes\n")
    head(*WAYS)
    for one in (ours.learned, start, learned, chosen.run, frozen.learned, *everything):
        told_of(one, ours.learned)
    accuracy(ours, start, learned)
    scoring(rows, ours, stock)


def embedded(rows: Rows, *, pairs: int | None, seed: int) -> None:
    """How good ours, frozen embeddings and, with so many pairs a text, SetFit are, and how long each takes."""
    train_ours(rows, seed=seed)  # what is imported at first use is nobody's training
    ours, frozen = train_ours(rows, seed=seed).learned, fit_frozen(rows).learned
    contrasted = [train_setfit(rows, pairs=pairs, seed=seed)] if pairs else []
    print(f"{len(rows.taught.train):,} rows taught, {len(rows.taught.calibration):,} to calibrate\n")
    head(*WAYS)
    for one in (ours, frozen, *contrasted):
        told_of(one, ours)


def told_of(one: Learned, ours: Learned) -> None:
    """A row of the first table."""
    against = compare("test", champion=one.right, challenger=ours.right)
    low, high = (100 * end for end in against.interval)
    told = "-" if one is ours else f"{100 * against.difference:+.1f} pp (95% CI {low:+.1f}..{high:+.1f})"
    took, times = one.spent, _times(one.spent, ours.spent)
    row(one.name, str(Rate.of(one.right)), told, f"{took.seconds:.1f} s", f"{took.processor:.1f} s", times)


def accuracy(ours: Ours, start: Learned, stock: Learned) -> None:
    """When stock's final accuracy was reached by either, for the first time."""
    final = Rate.of(stock.right)
    here, there = reached(looks_of(ours, start), final), reached(stock.looks, final)
    print()
    head("as many right as stock at its end, for the first time", "after", "processor", "times ours (processor)")
    if here is None or there is None:
        row("ours" if here is None else "stock", "never", "-", "-")
        return
    ended = min(one.spent for one in (start, ours.learned) if sum(one.right) >= final.hits)
    for name, one in (("ours", here), ("ours, threshold included", ended), ("stock", there)):
        row(name, f"{one.seconds:.1f} s", f"{one.processor:.1f} s", _times(one, here))


def scoring(rows: Rows, ours: Ours, stock: Stock) -> None:
    """How many texts a second are answered, from text to label."""
    texts = rows.asked
    fast = _spent(lambda: ours.model.probabilities(texts), RUNS)
    alike = _spent(lambda: stock.asked(rows), RUNS)
    slow = _spent(lambda: stock.predicted(texts), 1)
    print()
    head("answering", "texts a second", "ours is so many times as fast (processor)")
    for name, one in (
        ("ours, `Classifier.probabilities`", fast),
        ("stock, `Trainer.predict`", slow),
        ("stock's model, float32, texts of like length together", alike),
    ):
        row(name, f"{len(texts) / one.seconds:,.0f}", _times(one, fast))


def used(rows: Rows, *, seed: int) -> None:
    """How fast our steps are, what part of the processor's peak they use, and where a step's time goes."""
    train_ours(rows, seed=seed)
    config = {"width": 384, "inner": 1536}
    tokens = round(rows.recipe.batch_size * statistics.fmean(_lengths(rows)))
    before = peak(tokens, **config, precision=hardware_precision(rows.recipe.precision))
    runs = [train_ours(rows, seed=seed) for _ in range(RUNS)]
    after = peak(tokens, **config, precision=hardware_precision(rows.recipe.precision))
    square, wide = (max(pair) for pair in zip(before, after, strict=True))
    work, seconds = counted(rows, seed=seed), min(less(one.at.last, one.at.first).seconds for one in runs)
    whole = statistics.median(one.learned.spent.seconds for one in runs)
    most = of_layer(Peak(square, wide), **config)
    rate = work.operations / seconds
    print()
    head("our training", "")
    row("texts a second, from cases to a model with a threshold", f"{len(rows.taught.train) / whole:,.0f}")
    row("texts a second, in steps", f"{work.steps * rows.recipe.batch_size / seconds:,.0f}")
    row("GFLOP of a step, the lower layers' kept", f"{work.operations / work.steps / 1e9:.1f}")
    row(f"GFLOP/s of `torch.matmul`, ({tokens:,}, 384) by (384, 384)", f"{square / 1e9:,.0f}")
    row(f"GFLOP/s of `torch.matmul`, ({tokens:,}, 384) by (384, 1536)", f"{wide / 1e9:,.0f}")
    row("GFLOP/s of our steps, as a share of a layer at that peak", f"{rate / 1e9:,.0f}, {rate / most:.0%}")
    print()
    head("in a step", "share of its time")
    for name, share in shares(rows, seed=seed).items():
        row(name, f"{share:.0%}")


def monthly(*, seed: int) -> None:
    """A month's retrain, stage by stage."""
    months = [(start, month(seed=seed, start=start, progress=OnTerminal())) for start in Start]
    print()
    head("a month's retrain, clinc150", "new cases", "taught", "collect", "train", "compare", "together", "verdict")
    for start, one in months:
        seconds = (f"{part:.1f} s" for part in (one.collect, one.train, one.compare, one.seconds))
        row(f"starts from the {start}", f"{one.new:,}", f"{one.taught:,}", *seconds, f"{one.verdict}; {one.golden}")


def _lengths(rows: Rows) -> list[int]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(rows.base.folder)
    found = tokenizer([case.text for case in rows.taught.train], truncation=True, max_length=rows.recipe.max_tokens)
    return [len(one) for one in found["input_ids"]]


def _spent(work: Callable[[], object], times: int) -> Spent:
    """What the run in the middle spent."""
    found = []
    for _ in range(times):
        clock = Clock()
        work()
        found.append(clock.spent)
    return sorted(found)[times // 2]


def _times(one: Spent, ours: Spent) -> str:
    return f"{one.seconds / ours.seconds:.1f} ({one.processor / ours.processor:.1f})"


if __name__ == "__main__":
    main()
