"""Statistics of losses: intervals, scaling laws, modes, differences."""
