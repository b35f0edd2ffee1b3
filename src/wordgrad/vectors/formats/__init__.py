"""Files of word vectors: reading, writing, telling one format from another.

Each format is documented, byte by byte, in its module.
"""

from wordgrad.vectors.formats.guessing import format_of_file
from wordgrad.vectors.formats.known import FORMATS, Format, format_of_name, named
from wordgrad.vectors.formats.storing import load, save

__all__ = ["FORMATS", "Format", "format_of_file", "format_of_name", "load", "named", "save"]
