"""A share with its interval, and what may pass for chance."""
