"""Maps of words and curves of losses, as pages and pictures."""

from wordgrad.plotting.losses import LossCurve, loss_curve, save_losses
from wordgrad.plotting.word_map import WordMap, make_map

__all__ = ["LossCurve", "WordMap", "loss_curve", "make_map", "save_losses"]
