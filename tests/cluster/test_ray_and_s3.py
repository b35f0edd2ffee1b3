"""Two Ray nodes that read from an object store."""

from __future__ import annotations

import pytest

from wordgrad import Word2Vec
from wordgrad.errors import InputError
from wordgrad.storage import path_of

pytest.importorskip("ray")

SETTINGS = {"vector_size": 8, "min_count": 2, "sample": 0.01, "epochs": 2, "blocks": 4}

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def test_the_vectors_are_those_of_the_same_files_here(s3_server, cluster, path):
    system = path_of("s3://ray").fs
    system.makedirs("ray")
    system.put_file(str(path), "ray/text/a.txt")
    wanted = Word2Vec(**SETTINGS, workers=1).fit(path)
    found = Word2Vec(**SETTINGS, cluster="auto", nodes=2, threads_per_node=1).fit("s3://ray/text/*")
    assert found.vectors_.words == wanted.vectors_.words
    assert (found.vectors_.matrix == wanted.vectors_.matrix).all()
    with pytest.raises(InputError, match=r"nothing at 's3://none/a\.txt'"):
        Word2Vec(cluster="auto", nodes=2).fit("s3://none/a.txt")
