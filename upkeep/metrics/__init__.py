"""How good are answers? Pure functions, and classes of the `evaluate` library that need no hub: construct them."""
