"""Studies of what the paper leaves open, a folder each."""
