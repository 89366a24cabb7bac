"""What a release is, and how it answers: classifiers and models that write, many on one base."""
