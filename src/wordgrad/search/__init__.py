"""The nearest rows of a matrix, found exactly or approximately."""
