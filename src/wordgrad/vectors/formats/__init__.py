"""Files of word vectors: reading, writing, telling one format from another."""

from wordgrad.vectors.formats.storing import FORMATS, Format, format_of_name, load, save

__all__ = ["FORMATS", "Format", "format_of_name", "load", "save"]
