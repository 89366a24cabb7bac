"""A believable history for `make demo`, written by ourselves."""
