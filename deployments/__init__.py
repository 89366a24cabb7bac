"""Which processes and which server entries does Upkeep need to run, and how do they come and go?"""

from upkeep.home import prepare_process

prepare_process()  # before Prefect or torch read their settings
