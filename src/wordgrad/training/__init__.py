"""From an encoded corpus to trained parameters."""
