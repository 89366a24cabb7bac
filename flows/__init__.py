"""The contract with the client, as flows: order and branching, nothing else."""

from upkeep.home import prepare_process

prepare_process()  # before Prefect or torch read their settings
