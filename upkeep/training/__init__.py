"""How a model is taught: on one process or several, killed and resumed, short of memory or of time."""
