"""What only the book needs: the paper's numbers, the claims and their effects, toys, and how figures look."""
