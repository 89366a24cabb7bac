"""How does transformers' own text classification train, with LoRA added?

The settings of its example: a new head on the encoder's pooler, texts padded to 128 tokens, batches of 32 in random
order, float32, three passes, a rate that falls linearly, dropout as the model has it; LoRA of rank 8 on query, value.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.intents import Rows
from benchmarks.learned import Clock, Learned, Look, Spent, logits, loss, rights
from upkeep.progress import Progress, silent
from upkeep.statistics.rates import Rate

if TYPE_CHECKING:
    import torch

TOKENS, BATCH = 128, 32
RATES = (5e-3, 1e-2, 2e-2)
"""1e-3 and 2e-3 learned less in three passes of 3,000 rows."""
LOOKS = 6


class Stock(NamedTuple):
    """A model in training or trained, with all that is needed to ask it."""

    model: Any
    tokenizer: Any
    trainer: Any

    def logits_of(self, texts: list[str]) -> torch.Tensor:
        """One logit per label, the texts padded to the longest."""
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt")
        found: torch.Tensor = self.model(**batch).logits
        return found

    def asked(self, rows: Rows) -> list[bool]:
        """Is each test text answered right? Padding changes no answer, so that they are asked by length."""
        return rights(logits(self.logits_of, rows.asked).argmax(axis=1), rows.truth)

    def predicted(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The likeliest label of each text, as the trainer predicts it."""
        found: NDArray[np.int64] = self.trainer.predict(encoded(self.tokenizer, texts)).predictions.argmax(axis=1)
        return found


class Chosen(NamedTuple):
    """The learning rate that suits the calibration rows best, and the run in batches of like length that showed it."""

    rate: float
    run: Learned


def looking(stock: Stock, rows: Rows, clock: Clock, looks: list[Look]) -> Any:
    """A callback that asks the test texts after every sixth of the steps, while the clock stands still."""
    from transformers import TrainerCallback  # brings torch, which must not be there before the process is prepared

    class Looking(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: object) -> None:
            at = [round(state.max_steps * (number + 1) / LOOKS) for number in range(LOOKS)]
            if state.global_step in at:
                spent = clock.spent
                with clock.standing():
                    stock.model.eval()
                    looks.append(Look(spent, Rate.of(stock.asked(rows))))
                    stock.model.train()

    return Looking()


def train_stock(rows: Rows, *, rate: float, epochs: int, seed: int) -> tuple[Stock, Learned]:
    """Train from texts to a model as the example does, with looks at the test texts on the way."""
    with tempfile.TemporaryDirectory() as scratch:
        clock = Clock()
        stock = _prepared(rows, rate=rate, epochs=epochs, seed=seed, alike=False, folder=scratch)
        looks: list[Look] = []
        stock.trainer.add_callback(looking(stock, rows, clock, looks))
        stock.trainer.train()
        spent = clock.spent
    stock.model.eval()
    return stock, Learned("stock", stock.asked(rows), spent, looks)


def tuned_rate(rows: Rows, *, epochs: int, seed: int, progress: Progress = silent) -> Chosen:
    """Train with each rate for as many passes as the real run, but in batches of like length, which is faster.

    The most calibration rows right count, and of as many the lower loss.
    """
    texts, truth = [case.text for case in rows.taught.calibration], rows.numbers(rows.taught.calibration)
    found: list[tuple[int, float, float, Stock, Spent]] = []
    for number, rate in enumerate(RATES):
        with tempfile.TemporaryDirectory() as scratch:
            clock = Clock()
            stock = _prepared(rows, rate=rate, epochs=epochs, seed=seed, alike=True, folder=scratch)
            stock.trainer.train()
            spent = clock.spent
        stock.model.eval()
        held = logits(stock.logits_of, texts)
        found.append((sum(rights(held.argmax(axis=1), truth)), -loss(held, truth), rate, stock, spent))
        progress("stock's learning rates", number + 1, len(RATES))
    _, _, rate, stock, spent = max(found, key=lambda one: one[:2])
    return Chosen(rate, Learned("stock, texts of like length together", stock.asked(rows), spent, []))


def encoded(
    tokenizer: Any, texts: Sequence[str], truth: NDArray[np.int64] | None = None, *, pad: bool = True
) -> list[dict[str, Any]]:
    """The texts as the trainer takes them, a dictionary each."""
    columns = tokenizer(list(texts), padding="max_length" if pad else False, truncation=True, max_length=TOKENS)
    rows = [{name: columns[name][row] for name in columns} for row in range(len(texts))]
    return rows if truth is None else [one | {"labels": int(label)} for one, label in zip(rows, truth, strict=True)]


def _prepared(rows: Rows, *, rate: float, epochs: int, seed: int, alike: bool, folder: str) -> Stock:
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        PrinterCallback,
        Trainer,
        TrainingArguments,
        default_data_collator,
        set_seed,
    )

    set_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(rows.base.folder)
    whole = AutoModelForSequenceClassification.from_pretrained(
        rows.base.folder, num_labels=len(rows.taught.labels), dtype=torch.float32
    )
    wanted = {"target_modules": ["query", "value"], "modules_to_save": ["classifier"]}
    model = get_peft_model(whole, LoraConfig(task_type=TaskType.SEQ_CLS, r=8, lora_alpha=16, **wanted))
    train = rows.taught.train
    arguments = TrainingArguments(
        output_dir=folder,
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=BATCH,
        num_train_epochs=epochs,
        learning_rate=rate,
        lr_scheduler_type="linear",
        seed=seed,
        use_cpu=True,
        train_sampling_strategy="group_by_length" if alike else "random",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=encoded(tokenizer, [case.text for case in train], rows.numbers(train), pad=not alike),
        data_collator=DataCollatorWithPadding(tokenizer) if alike else default_data_collator,
    )
    trainer.remove_callback(PrinterCallback)  # standard output is for the table
    return Stock(model, tokenizer, trainer)
