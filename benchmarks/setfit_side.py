"""How well does SetFit learn the same rows? Run by `benchmarks.finetune`, in SetFit's environment.

Reads a JSON file: the base model's folder, texts and labels (as numbers) of the rows to learn and of those to calibrate
on, the texts to answer, the strengths of the regression to try, pairs a text, and the seed. SetFit pulls pairs of one
label together and those of two apart in one pass with its own settings (batches of 16 pairs, AdamW at 2e-5); the
logistic regression on what comes out is the best of some strengths by the calibration rows. Prints a JSON object:
answers, seconds, and seconds of the processor.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from setfit import SetFitModel, Trainer, TrainingArguments
from sklearn.linear_model import LogisticRegression

TOKENS = 128


def learn(work: dict[str, Any], scratch: str) -> dict[str, object]:
    """The answers to the texts that are asked, and the seconds it took to learn, by the clock and the processor's."""
    words = Transformer(work["base"], max_seq_length=TOKENS)
    body = SentenceTransformer(modules=[words, Pooling(words.get_embedding_dimension()), Normalize()], device="cpu")
    model = SetFitModel(model_body=body, model_head=LogisticRegression(max_iter=1000))
    begun, worked = time.perf_counter(), time.process_time()
    settings = TrainingArguments(
        output_dir=scratch,
        num_epochs=1,
        num_iterations=work["pairs"],
        seed=work["seed"],
        save_strategy="no",
        report_to="none",
    )
    rows = Dataset.from_dict({"text": work["texts"], "label": work["labels"]})
    Trainer(model=model, args=settings, train_dataset=rows).train()
    train, held = body.encode(work["texts"]), body.encode(work["held"])
    tried = [LogisticRegression(C=one, max_iter=1000).fit(train, work["labels"]) for one in work["strengths"]]
    best = max(tried, key=lambda one: (one.predict(held) == work["held_labels"]).sum())
    spent = {"seconds": time.perf_counter() - begun, "processor": time.process_time() - worked}
    return {"answers": best.predict(body.encode(work["asked"])).tolist(), **spent}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(learn(given, name)))
