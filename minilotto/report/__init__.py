"""The paper's figures and the studies beyond it, with a verdict on each claim."""
