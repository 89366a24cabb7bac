"""Are others told from a label's own requests by how near they are to those?"""

from __future__ import annotations

import numpy as np
import pytest

from upkeep.cases.other_requests import are_others


def at(*degrees: float) -> np.ndarray:
    """Embeddings of two numbers, at some angles."""
    turned = np.radians(np.array(degrees, dtype=np.float32))
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).reshape(-1, 2)


OWN = at(0, 10, 21, 33, 46)  # the most alike of the others is 10, 10, 11, 12 and 13 degrees away


@pytest.mark.parametrize(
    ("corrected", "others"),
    [
        ([5, 15, 40], False),  # 5, 5 and 6 degrees away: nearer than any
        ([57.5, 61], False),  # 11.5 is nearer than two of five, 15 than none: 2 of 10
        ([57.5, 61, 90], True),  # 2 of 15
        ([90, 120], True),
        ([], False),
    ],
)
def test_requests_that_are_seldom_as_near_as_the_labels_own_are_others(corrected, others):
    assert are_others(at(*corrected), OWN) is others


@pytest.mark.parametrize("own", [[], [0]])
def test_of_a_label_with_no_two_requests_nobody_can_tell(own):
    assert not are_others(at(90), at(*own))
