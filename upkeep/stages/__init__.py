"""What does each stage of the chain read, decide and leave behind for one client?

A module for each, named as in tasks/. Every stage is safe to run again: it writes its record last and, where the record
is there, returns it.
"""
