import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.corpus.tokenizer import END, TextBlock, TokenBlock, Tokenizer
from wordgrad.errors import ParameterError

SEPARATORS = [chr(i) for i in range(0x110000) if chr(i).isspace()]
TRICKY = "aé\u4e2d\U0001f600\u200b\u2060\ufeff\x00\x1a\x7f\x86\x84\u180e\u1681\u2007\u202e"
texts = st.text(alphabet=st.sampled_from([*SEPARATORS, *TRICKY, "\n", " "]), max_size=50)


def decoded(tokenizer, ids):
    types = tokenizer.types()
    words = types.words.at(np.arange(len(types.words)))
    return [words[types.groups[i]] if i != END else "<end>" for i in ids]


def tokens_of(text, **options):
    tokenizer = Tokenizer(**options)
    return decoded(tokenizer, tokenizer.encode(TextBlock(text.encode())))


def expected(text):
    lines = text.split("\n")
    found = []
    for i, line in enumerate(lines):
        found += line.split() + (["<end>"] if i < len(lines) - 1 else [])
    return found


def test_every_character_is_what_python_takes_it_for():
    characters = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000]
    text = "".join(f"a{character}b" for character in characters)
    assert tokens_of(text) == expected(text)
    assert tokens_of("".join(characters)) == expected("".join(characters))


@given(texts)
def test_tokens_are_those_of_str_split(text):
    assert tokens_of(text) == expected(text)


@given(st.text(max_size=80))
def test_tokens_of_any_text(text):
    assert tokens_of(text) == expected(text)


@pytest.mark.parametrize("separator", SEPARATORS)
def test_every_separator_separates(separator):
    middle = ["<end>"] if separator == "\n" else []
    assert tokens_of(f"a{separator}b") == ["a", *middle, "b"]
    assert tokens_of(f"é{separator}ü") == ["é", *middle, "ü"]


def test_quotes_commas_and_escapes_are_text():
    assert tokens_of('"a,b" \\n \'c\'\n"d') == ['"a,b"', "\\n", "'c'", "<end>", '"d']


def test_a_token_of_ten_megabytes():
    long = "x" * 10_000_000
    assert tokens_of(f"a {long} b") == ["a", long, "b"]


@pytest.mark.parametrize(
    "data", [b"ok \xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf", b"a\xe2\x80 b"]
)
@pytest.mark.parametrize("pattern", [None, r"\w+"])
def test_bytes_that_are_not_utf8(data, pattern):
    with pytest.raises(UnicodeDecodeError, match="utf-8"):
        Tokenizer(pattern).encode(TextBlock(data))


def test_numbers_are_shared_between_blocks():
    tokenizer = Tokenizer()
    first = tokenizer.encode(TextBlock(b"a b"))
    second = tokenizer.encode(TokenBlock(["b", "a", "c"], [1, 2]))
    assert second[0] == first[1]
    assert second[2] == first[0]
    assert first.dtype == second.dtype == np.uint32


def test_two_tokenizers_share_nothing():
    one, two = Tokenizer(), Tokenizer()
    one.encode(TextBlock(b"a b c"))
    assert two.encode(TextBlock(b"c")).tolist() == [1]


@given(
    st.lists(
        st.lists(
            st.text(max_size=3) | st.sampled_from(["\x1f", 2 * "\x1f", 3 * "\x1f", "\n", " "]),
            max_size=5,
        )
    )
)
def test_token_lists_are_kept_as_they_are(sentences):
    tokenizer = Tokenizer()
    block = TokenBlock([t for s in sentences for t in s], [len(s) for s in sentences])
    found = decoded(tokenizer, tokenizer.encode(block))
    wanted = [token for sentence in sentences for token in [*sentence, "<end>"]]
    assert found == wanted


def test_pattern_gives_matches_line_by_line():
    assert tokens_of("It's 42, OK?\n\nfoo_bar\n", pattern=r"[A-Za-z]+") == [
        "It", "s", "OK", "<end>", "<end>", "foo", "bar", "<end>",
    ]  # fmt: skip
    assert tokens_of("New York is\r\nnew", pattern=r"New York|\w+") == [
        "New York", "is", "<end>", "new",
    ]  # fmt: skip
    assert tokens_of("a b\r\nc\r\n", pattern=".+") == ["a b", "<end>", "c", "<end>"]
    assert tokens_of("a b\nb a\n", pattern=r"^\w") == ["a", "<end>", "b", "<end>"]
    assert tokens_of("ÄÖ Straße 中文", pattern=r"\p{L}+") == ["ÄÖ", "Straße", "中文"]
    assert tokens_of("x\x1fy \n", pattern=".") == ["x", "\x1f", "y", " ", "<end>"]


def test_pattern_sees_lower_case_text():
    assert tokens_of("The CAT\n", pattern="[a-z]+", lowercase=True) == ["the", "cat", "<end>"]
    assert tokens_of("The CAT\n", pattern="[a-z]+") == ["he", "<end>"]


@given(st.text(alphabet="ab1 .\n", max_size=40))
def test_pattern_against_python(text):
    import re

    found = tokens_of(text, pattern="[ab]+")
    wanted = []
    for line in text.splitlines(keepends=True):
        wanted += re.findall("[ab]+", line) + (["<end>"] if line.endswith("\n") else [])
    assert found == wanted


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [("(", "unclosed group"), ("(?=a)", "look-around"), (r"(a)\1", "backreferences")],
)
def test_a_pattern_that_is_none(pattern, reason):
    with pytest.raises(ParameterError, match=f"pattern must be a regular .*{reason}"):
        Tokenizer(pattern)
