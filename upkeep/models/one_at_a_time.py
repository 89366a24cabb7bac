"""What may only one thread of a process do with models at a time?"""

from __future__ import annotations

from threading import Lock, RLock

LOADING = RLock()
"""transformers sets torch's default dtype and takes methods of its classes away while it loads: of two loads at once
the second puts back what the first had set, and no model of the process is right from then on."""
READING = Lock()
"""A tokenizer that models share keeps as its own state how it pads and cuts: no two may ask it at once otherwise."""
