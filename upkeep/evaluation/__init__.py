"""Champion and challenger on the same items, and what follows from that."""
