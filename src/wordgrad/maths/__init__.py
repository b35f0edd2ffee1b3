"""The mathematics, in plain NumPy: the oracle that every fast engine answers to."""
