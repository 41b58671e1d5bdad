"""Independent references that kernels are compared with; they import nothing of minilotto."""
