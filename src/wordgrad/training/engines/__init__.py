"""Engines: what turns windows into parameter updates."""
