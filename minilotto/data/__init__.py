"""What is fitted: weighted points, and fewer of them with the same loss."""
