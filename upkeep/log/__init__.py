"""The contract with the system that writes the log: read, judged, counted by day, never held in memory as a whole."""
