"""From Config and seeds to an Ensemble."""
