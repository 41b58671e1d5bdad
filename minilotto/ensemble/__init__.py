"""What a training leaves behind: nets, their file format, smaller nets made of them."""
