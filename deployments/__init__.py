"""Which processes and which server entries does Upkeep need to run, and how do they come and go?"""
