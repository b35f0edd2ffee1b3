"""Labels that do not cover each other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.plotting.draw_map import place_labels


def _overlaps(places, sizes):
    placed = np.flatnonzero(np.isfinite(places[:, 0]))
    apart = np.abs(places[placed, None] - places[None, placed])
    room = (sizes[placed, None] + sizes[None, placed]) / 2
    over = (apart < room - 1e-9).all(axis=2)
    return int(over.sum()) - placed.size  # each meets itself


@given(seed=st.integers(0, 10_000), words=st.integers(1, 60), rings=st.integers(1, 3))
def test_no_two_labels_meet_and_none_leaves_the_frame(seed, words, rings):
    draw = np.random.default_rng(seed)
    points = draw.uniform(0, 200, (words, 2))
    sizes = np.column_stack([draw.uniform(10, 60, words), np.full(words, 12.0)])
    places = place_labels(points, sizes, (200, 200), gaps=np.full(words, 2.0), rings=rings)
    assert _overlaps(places, sizes) == 0
    placed = np.isfinite(places[:, 0])
    assert (places - sizes / 2 >= 0)[placed].all()
    assert (places + sizes / 2 <= 200)[placed].all()


def test_the_first_label_stands_right_of_its_point_and_hides_no_other():
    points = np.array([[50.0, 50], [70, 50]])
    sizes = np.full((2, 2), 10.0)
    free = place_labels(points[:1], sizes[:1], (100, 100), gaps=np.ones(1))
    assert free[0].tolist() == [56, 50]
    near = place_labels(np.array([[50.0, 50], [56, 50]]), sizes, (100, 100), gaps=np.ones(2))
    assert near[0].tolist() == [44, 50]


def test_where_there_is_no_room_there_is_no_label():
    points = np.full((30, 2), 50.0)
    sizes = np.full((30, 2), 20.0)
    one = np.isfinite(place_labels(points, sizes, (100, 100), gaps=np.ones(30))[:, 0]).sum()
    more = place_labels(points, sizes, (100, 100), gaps=np.ones(30), rings=2)
    assert one == 2  # right and left; any other place meets one of them
    assert np.isfinite(more[:, 0]).sum() > one
    assert np.isnan(
        place_labels(points[:1], np.full((1, 2), 120.0), (100, 100), gaps=np.ones(1))
    ).all()
