"""Ways to train, the choice between them, and the evaluation of given nets."""
