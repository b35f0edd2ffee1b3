"""Words are numbered, counted, joined and ranked as dictionaries and sorting do it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.corpus import word_table
from wordgrad.corpus.tokenizer import TextBlock, TokenBlock, Tokenizer
from wordgrad.corpus.word_table import WordIndex, WordTable
from wordgrad.errors import InputError

# Lengths on both sides of eight, sixteen and twenty-four bytes, and words that share beginnings.
words = st.text(alphabet="ab\0é", max_size=3) | st.builds(
    lambda k, end: "abcdefgh" * k + end, st.integers(0, 3), st.text(alphabet="ab\0é", max_size=2)
)


def all_words(types):
    return types.words.at(np.arange(len(types.words)))


@given(st.lists(st.lists(words, min_size=1, max_size=30), min_size=1, max_size=4))
def test_several_tables_count_as_one(blocks):
    tables = [WordTable(iter([k * word_table.IDS_AT_ONCE]).__next__) for k in range(len(blocks))]
    tokenizer = Tokenizer()
    tokenizer._tables, tokenizer._ids = tables, len(blocks) * word_table.IDS_AT_ONCE
    tokenizer._free = list(tables)
    ids = []
    for table, block in zip(tables, blocks, strict=True):
        sizes = np.array([len(word.encode()) for word in block], dtype=np.int64)
        ids.append(table.number_tokens("".join(block).encode(), sizes))
    types = tokenizer.types()
    found = all_words(types)
    assert dict(zip(found, types.counts.tolist(), strict=True)) == Counter(chain(*blocks))
    for numbers, block in zip(ids, blocks, strict=True):
        assert [found[types.groups[i]] for i in numbers] == block


@given(st.lists(words, unique=True, max_size=60), st.data())
def test_words_are_ranked_by_count_and_code_points(distinct, data):
    tokenizer = Tokenizer()
    times = data.draw(st.lists(st.integers(1, 3), min_size=len(distinct), max_size=len(distinct)))
    tokens = [word for word, n in zip(distinct, times, strict=True) for _ in range(n)]
    tokenizer.encode(TokenBlock(tokens, [len(tokens)]))
    types = tokenizer.types()
    order = types.words.ranked(np.arange(len(types.words)), types.counts)
    counts = Counter(tokens)
    assert types.words.at(order) == sorted(counts, key=lambda word: (-counts[word], word))


def test_tables_grow_while_several_threads_number(monkeypatch):
    """Past the first slots and the first numbers, within blocks, with words in many tables."""
    monkeypatch.setattr(word_table, "IDS_AT_ONCE", 1 << 12)
    rng = np.random.default_rng(3)
    texts = [
        " ".join(f"{'long-beginning-' * (i % 3)}{i}" for i in rng.zipf(1.1, 40_000) % 50_000)
        for _ in range(6)
    ]
    tokenizer = Tokenizer()
    with ThreadPoolExecutor(3) as pool:
        ids = list(pool.map(lambda text: tokenizer.encode(TextBlock(text.encode())), texts))
    types = tokenizer.types()
    found = all_words(types)
    assert len(found) > 20_000
    tokens = [token for text in texts for token in text.split()]
    assert dict(zip(found, types.counts.tolist(), strict=True)) == Counter(tokens)
    assert [found[group] for group in types.groups[np.concatenate(ids)]] == tokens


def test_more_words_than_numbers_are_refused(monkeypatch):
    monkeypatch.setattr("wordgrad.corpus.tokenizer._MOST_IDS", word_table.IDS_AT_ONCE)
    text = " ".join(map(str, range(word_table.IDS_AT_ONCE)))
    with pytest.raises(InputError, match="more than 65536 distinct words"):
        Tokenizer().encode(TextBlock(text.encode()))


def test_a_token_that_is_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(word_table, "_LONGEST", 10)
    with pytest.raises(InputError, match=r"may have 10 bytes, got one of 11; split"):
        Tokenizer().encode(TokenBlock(["x" * 10, "x" * 11], [2]))


@given(st.lists(words, unique=True, max_size=200), st.lists(words, max_size=20))
def test_an_index_finds_what_a_dictionary_finds(distinct, others):
    encoded = [word.encode() for word in distinct]
    offsets = np.concatenate([[0], np.cumsum([len(word) for word in encoded])]).astype(np.int64)
    index = WordIndex(np.frombuffer(b"".join(encoded), np.uint8), offsets)
    rows = {word: row for row, word in enumerate(distinct)}
    assert index.twice is None
    for word in distinct + others:
        assert index.find(word.encode()) == rows.get(word, -1)


@given(st.lists(words, unique=True, min_size=1, max_size=200), st.data())
def test_an_index_tells_the_first_word_that_comes_twice(distinct, data):
    first = data.draw(st.integers(0, len(distinct) - 1))
    second = data.draw(st.integers(first + 1, len(distinct)))
    encoded = [word.encode() for word in distinct]
    encoded.insert(second, encoded[first])
    offsets = np.concatenate([[0], np.cumsum([len(word) for word in encoded])]).astype(np.int64)
    assert WordIndex(np.frombuffer(b"".join(encoded), np.uint8), offsets).twice == (second, first)
