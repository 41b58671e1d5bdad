"""What averages and combinations of nets gain."""
