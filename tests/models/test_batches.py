"""Any number of texts, with little memory: none is left out, none is taken twice."""

from __future__ import annotations

from itertools import count, islice

import pytest

from upkeep.errors import TrainingError
from upkeep.models.batches import chunks, in_batches, noted_halvings

TEXTS = [f"{'x' * (at * 7 % 23)}{at}" for at in range(50)]


def lengths_in(room: int, tried: list[int]):
    """Works on as many texts at a time as there is room for."""

    def work(some: list[str]) -> list[str]:
        tried.append(len(some))
        if len(some) > room:
            raise RuntimeError("CUDA out of memory. Tried to allocate more than there is")
        return some

    return work


def test_each_text_is_worked_on_once_with_those_of_like_length():
    seen = dict[int, str]()
    for rows, made in in_batches(TEXTS, 8, lambda some: some):
        assert max(map(len, made)) - min(map(len, made)) <= 5
        seen |= dict(zip(rows.tolist(), made, strict=True))
    assert [seen[row] for row in range(len(TEXTS))] == TEXTS


@pytest.mark.parametrize("room", [1, 3, 7])
def test_with_memory_for_fewer_they_are_taken_fewer_at_a_time_from_there_on(room):
    tried: list[int] = []
    steps: list[int] = []
    found = list(
        in_batches(TEXTS, 8, lengths_in(room, tried), progress=lambda _, done, of: steps.append(done * 100 // of))
    )
    assert sorted(row for rows, _ in found for row in rows) == list(range(len(TEXTS)))
    assert sum(size > room for size in tried) == {1: 3, 3: 2, 7: 1}[room]  # 8, 4, 2, 1
    assert steps[-1] == 100


def test_that_fewer_are_taken_is_said_in_the_log_and_in_the_notes_of_whoever_keeps_them(caplog):
    with noted_halvings() as notes:
        for _ in range(2):
            list(in_batches(TEXTS, 8, lengths_in(3, []), what="scoring"))
    said = ["out of memory: scoring, 4 at a time from there on", "out of memory: scoring, 2 at a time from there on"]
    assert notes == said
    assert caplog.messages == [*said, *said]
    list(in_batches(TEXTS, 8, lengths_in(3, []), what="scoring"))
    assert notes == said


def test_without_memory_for_one_it_says_what_to_do():
    with pytest.raises(TrainingError, match="out of memory with a single text: lower max_tokens"):
        list(in_batches(TEXTS, 8, lengths_in(0, [])))


def test_any_other_error_is_raised_as_it_is():
    def broken(_):
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        list(in_batches(TEXTS, 8, broken))


def test_of_a_stream_so_many_are_taken_at_a_time():
    taken: list[int] = []
    stream = (taken.append(at) or at for at in count())
    assert list(islice(chunks(stream, 4), 2)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(taken) == 8
    assert list(chunks([], 4)) == []
