"""Texts as bags of numbered features, and the network that classifies them."""
