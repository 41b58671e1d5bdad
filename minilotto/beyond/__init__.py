"""Studies of what the paper leaves open: each a question, a design, trainings, a figure, numbers with intervals, an answer."""
