"""What this machine offers: cores, memory, GPU, threads."""
