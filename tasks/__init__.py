"""One module per stage: each task is a thin shell around a stage of `upkeep`."""
