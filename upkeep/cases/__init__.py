"""From what production says to training data: cases and their history, review by people, sets locked for evaluation."""
