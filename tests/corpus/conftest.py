import pytest
from hypothesis import settings

from wordgrad.corpus import encode as remapping
from wordgrad.corpus import reader as memory
from wordgrad.corpus import reader as reading
from wordgrad.corpus import tables
from wordgrad.corpus.blocks import text_blocks

# The first example of a run also loads Polars.
settings.register_profile("text", deadline=None)
settings.load_profile("text")


@pytest.fixture(params=[1, 7])
def small_blocks(request, monkeypatch):
    """Cut everything so small that boundaries fall everywhere."""
    monkeypatch.setitem(text_blocks.__kwdefaults__, "size", request.param)
    for module in (memory, reading, tables):
        monkeypatch.setattr(module, "BLOCK_BYTES", request.param)
    monkeypatch.setattr(tables, "_PARQUET_ROWS", request.param)
    monkeypatch.setattr(memory, "_BLOCK_TOKENS", request.param)
    monkeypatch.setattr(remapping, "_CHUNK", 1 + request.param)
    return request.param
