"""Texts as bags of numbered features, and the network that learns to tell their classes apart."""
