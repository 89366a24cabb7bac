"""Is a message told by one of two runs at once, and by the other one where the first is killed or fails?"""

from __future__ import annotations

from functools import partial

import pytest

from upkeep.adapters.store import FolderStore
from upkeep.errors import DeliveryError
from upkeep.stages.telling import telling


@pytest.fixture
def store(tmp_path) -> FolderStore:
    return FolderStore(tmp_path)


def test_what_was_told_meanwhile_is_not_to_be_sent(store):
    told = partial(store.exists, "told/a")
    with telling(store, "told/a", told) as to_send:
        assert to_send
        store.write("told/a", b"")
        with telling(store, "told/a", told) as again:
            assert not again
    assert list(store.keys("")) == ["told/a"]


def test_a_message_of_a_run_that_was_killed_is_sent_by_the_next_one(store):
    store.create("telling/told/a", b"")
    with telling(store, "told/a", partial(store.exists, "told/a"), patience=0.2) as to_send:
        assert to_send
    assert list(store.keys("")) == []


def test_a_message_that_could_not_be_delivered_is_free_for_the_next_run_at_once(store):
    told = partial(store.exists, "told/a")
    with pytest.raises(DeliveryError), telling(store, "told/a", told):
        raise DeliveryError("down")
    with telling(store, "told/a", told, patience=0) as to_send:
        assert to_send
