"""What is found in a week's figures: agreed limits crossed, kinds of change, and when they are over. Loads no model."""
