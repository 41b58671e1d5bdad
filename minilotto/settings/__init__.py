"""What a training is: Config, and the tables that it names things in."""
