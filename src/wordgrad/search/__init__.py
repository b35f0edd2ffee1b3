"""Finding the nearest rows of a matrix."""
