"""A file of requests, however long and whatever is in it, answered line by line."""

from __future__ import annotations

import json

import pytest

from tests.released import LABELS, released_desk, released_template  # noqa: F401 -- fixtures
from upkeep.__main__ import main
from upkeep.conversations import request_of
from upkeep.errors import ConfigError
from upkeep.models.batch_answering import answer_file
from upkeep.models.batches import CHUNK
from upkeep.models.manifest import Answer
from upkeep.stages.finetuning import load_model


class Counting:
    """Answers with the length of a request, and knows how many it was asked at a time."""

    def __init__(self):
        self.asked: list[int] = []

    def answer(self, texts):
        self.asked.append(len(texts))
        return [Answer(str(len(text)), 0.5, False) for text in texts]


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_request_is_answered_under_its_id_so_many_at_a_time(tmp_path):
    asked = [{"id": f"r{at}", "input": "x" * (1 + at % 7), "ts": "2026-03-01T10:00:00Z"} for at in range(2 * CHUNK + 3)]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, asked)))
    model, seen = Counting(), []
    done = answer_file(
        model, tmp_path / "in.jsonl", tmp_path / "out.jsonl", version="7",
        progress=lambda _, bytes_done, of: seen.append(bytes_done / of),
    )  # fmt: skip
    assert model.asked == [CHUNK, CHUNK, 3]
    assert (done.answered, done.rejected, seen[-1]) == (len(asked), 0, 1.0)
    assert read(tmp_path / "out.jsonl") == [
        {"id": one["id"], "output": str(len(one["input"])), "confidence": 0.5, "automatic": False, "model_version": "7"}
        for one in asked
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_a_line_that_cannot_be_used_is_kept_with_its_number_and_what_is_wrong(tmp_path):
    lines = ['{"id": "a", "input": "hello"}', "", "{", "[1]", '{"id": "b", "input": " "}', '{"id": 3, "input": "x"}']
    lines.append(r'{"id": "c", "input": "half an emoji: \ud83d"}')
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    done = answer_file(Counting(), tmp_path / "in.jsonl", tmp_path / "out.jsonl", version="1")
    assert (done.answered, done.rejected) == (1, 5)
    assert done.rejects == tmp_path / "out.rejected.jsonl"
    assert [(one["line"], one["reason"].partition(":")[0]) for one in read(done.rejects)] == [
        (3, "not JSON"),
        (4, "found list, expected an object with `id` and `input`"),
        (5, "input"),
        (6, "id"),
        (7, "not JSON"),
    ]
    assert read(done.rejects)[3]["reason"] == "id: found 3, expected a text that is not empty"


def test_a_conversation_is_answered_as_one_request(tmp_path):
    talk = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yes?"},
        {"role": "user", "content": "x"},
    ]
    rows = [{"id": "a", "input": talk}, {"id": "b", "input": talk[:2]}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = answer_file(Counting(), tmp_path / "in.jsonl", tmp_path / "out.jsonl", version="1")
    assert (done.answered, done.rejected) == (1, 1)
    assert read(tmp_path / "out.jsonl")[0]["output"] == str(len(request_of(talk)))
    assert "the last of them a user's" in read(done.rejects)[0]["reason"]


@pytest.mark.parametrize("name", ["out.jsonl", "out.rejected.jsonl"])
def test_what_is_asked_is_never_written_over(tmp_path, name):
    (tmp_path / name).write_text("{")
    (tmp_path / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match=f"{name}: would be written over, expected answers in another file"):
        answer_file(Counting(), tmp_path / "elsewhere" / name, tmp_path / "out.jsonl", version="1")
    assert (tmp_path / name).read_text() == "{"


def test_what_fails_leaves_what_was_there(tmp_path):
    class Broken:
        def answer(self, texts):
            raise RuntimeError("broken")

    (tmp_path / "in.jsonl").write_text('{"id": "a", "input": "hello"}')
    (tmp_path / "out.jsonl").write_text("from before")
    with pytest.raises(RuntimeError, match="broken"):
        answer_file(Broken(), tmp_path / "in.jsonl", tmp_path / "out.jsonl", version="1")
    assert (tmp_path / "out.jsonl").read_text() == "from before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_the_command_asks_the_model_in_service_or_the_version_it_is_told(desk, tmp_path, capsys):
    texts = [f"Where is my parcel number {at}?" for at in range(20)]
    lines = [json.dumps({"id": str(at), "input": text}) for at, text in enumerate(texts)]
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, "nonsense"]))
    for given, version in (([], "1"), (["--version", "3"], "3")):
        assert main(["answer", "northwind", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), *given]) == 0
        found = read(tmp_path / "out.jsonl")
        assert {one["output"] for one in found} <= set(LABELS)
        assert [one["output"] for one in found] == [one.output for one in load_model(desk, version).answer(texts)]
        assert {one["model_version"] for one in found} == {version}
    said = capsys.readouterr().out
    assert "20 requests answered by version 3" in said
    assert "1 line cannot be used" in said
    with pytest.raises(SystemExit, match="2"):
        main(["answer", "northwind", str(tmp_path / "none.jsonl"), str(tmp_path / "out.jsonl")])
    assert f"argument requests: found no file {tmp_path / 'none.jsonl'}" in capsys.readouterr().err
