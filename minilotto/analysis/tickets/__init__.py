"""Small groups of neurons that solve the task, and what they compute."""
