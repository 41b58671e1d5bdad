"""Independent references for the kernels; they import nothing of minilotto."""
