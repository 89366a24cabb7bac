"""The command line, `python -m upkeep COMMAND`: a module for each group of commands."""
