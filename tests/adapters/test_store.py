"""Does a folder keep the same promises as an S3 bucket?"""

from __future__ import annotations

import errno
import multiprocessing
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest

from tests.s3 import breaking_s3_endpoint, careless_s3_endpoint, new_bucket, s3_endpoint  # noqa: F401 -- fixtures are found by name
from upkeep.adapters.store import open_store
from upkeep.errors import AlreadyExistsError, NotFoundError, StoreError
from upkeep.store import Store, write_jsonl

BAD_KEYS = ["", "/etc/passwd", "a/", "../b", "a/../b", "./a", "a\0b", ".probe/x", "a/.aside-1"]


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    endpoint = request.getfixturevalue("s3_endpoint")
    return open_store(f"s3://{new_bucket(endpoint)}/clients/acme", endpoint=endpoint)


def test_what_is_written_is_read_back(store):
    store.write("releases/v1/head.bin", b"\x00\xff\r\n")
    assert store.read("releases/v1/head.bin") == b"\x00\xff\r\n"


def test_the_last_write_counts(store):
    store.write("champion.json", b"v1, a longer text")
    store.write("champion.json", b"v2")
    assert store.read("champion.json") == b"v2"
    assert list(store.keys("")) == ["champion.json"]


def test_an_empty_object_is_there(store):
    store.write("empty", b"")
    assert store.exists("empty")
    assert store.read("empty") == b""


def test_a_missing_key_is_named_with_the_store(store):
    with pytest.raises(NotFoundError, match=r"releases/v9/manifest\.json") as caught:
        store.read("releases/v9/manifest.json")
    assert store.uri in str(caught.value)
    assert not store.exists("releases/v9/manifest.json")


def test_a_folder_of_keys_is_no_key(store):
    store.write("a/b/c", b"1")
    assert not store.exists("a/b")
    assert not store.exists("a/b/c/d")
    for key in ("a/b", "a/b/c/d"):
        with pytest.raises(NotFoundError):
            store.read(key)


def test_keys_come_in_order_and_only_with_the_prefix(store):
    for key in ("b/2", "b/10", "b-c", "b/1/x", "a", "b/ü", "bb/1"):
        store.write(key, b"")
    assert list(store.keys("")) == ["a", "b-c", "b/1/x", "b/10", "b/2", "b/ü", "bb/1"]
    assert list(store.keys("b/")) == ["b/1/x", "b/10", "b/2", "b/ü"]
    assert list(store.keys("b/1")) == ["b/1/x", "b/10"]
    assert list(store.keys("a")) == ["a"]
    assert list(store.keys("nothing/here")) == []
    assert list(store.keys("a/deeper/")) == []


def test_a_mark_is_another_one_when_the_bytes_have_changed_and_only_then(store):
    for key in ("b/2", "b/1", "c"):
        store.write(key, b"first")
    before = store.marks("b/")
    assert list(before) == ["b/1", "b/2"]
    store.write("b/1", b"other")  # of the same length
    after = store.marks("b/")
    assert after["b/1"] != before["b/1"]
    assert after["b/2"] == before["b/2"]
    assert store.marks("nothing/") == {}


def test_the_size_of_a_folder_is_the_bytes_of_its_keys(store):
    for key, data in {"b/1": b"12", "b/2/x": b"345", "bb": b"6"}.items():
        store.write(key, data)
    assert store.size("b/") == 5
    assert store.size("") == 6
    assert store.size("nothing/") == 0


def test_a_fetched_key_is_a_file_with_its_bytes(store, tmp_path):
    store.write("log/a.parquet", b"PAR1")
    store.write("log/b.parquet", b"PAR2")
    found = [store.fetch(f"log/{name}.parquet", tmp_path) for name in "ab"]
    assert [path.read_bytes() for path in found] == [b"PAR1", b"PAR2"]
    for missing in ("log/c.parquet", "log"):
        with pytest.raises(NotFoundError, match=missing):
            store.fetch(missing, tmp_path)


def test_a_fetched_file_of_ones_own_stays_as_it_is_when_the_key_gets_other_bytes(store, tmp_path):
    store.write("daily/a.parquet", b"PAR1")
    mark = store.marks("daily/")
    found = store.fetch("daily/a.parquet", tmp_path, own=True)
    assert found.parent == tmp_path
    assert store.marks("daily/") == mark
    store.write("daily/a.parquet", b"PAR2")
    assert found.read_bytes() == b"PAR1"
    store.delete("daily/a.parquet")
    assert found.read_bytes() == b"PAR1"
    with pytest.raises(NotFoundError, match=r"daily/a\.parquet"):
        store.fetch("daily/a.parquet", tmp_path, own=True)


def without_links(monkeypatch) -> None:
    def on_another_file_system(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", on_another_file_system)


def test_where_a_file_cannot_have_a_second_name_one_of_ones_own_is_a_copy(tmp_path, monkeypatch):
    store = open_store(str(tmp_path / "acme"))
    store.write("daily/a.parquet", b"PAR1")
    without_links(monkeypatch)
    found = store.fetch("daily/a.parquet", tmp_path, own=True)
    store.write("daily/a.parquet", b"PAR2")
    assert found.read_bytes() == b"PAR1"
    store.delete("daily/a.parquet")
    with pytest.raises(NotFoundError, match=r"daily/a\.parquet"):
        store.fetch("daily/a.parquet", tmp_path, own=True)


def test_a_file_is_put_there_with_the_mark_that_it_then_has_and_stays_as_it_is(store, tmp_path):
    made = tmp_path / "made"
    made.write_bytes(b"PAR1")
    store.write("daily/a.parquet", b"old")
    mark = store.put("daily/a.parquet", made)
    assert store.read("daily/a.parquet") == b"PAR1"
    assert store.marks("daily/") == {"daily/a.parquet": mark}
    store.write("daily/a.parquet", b"PAR2")
    assert made.read_bytes() == b"PAR1"
    assert store.marks("daily/")["daily/a.parquet"] != mark
    with pytest.raises(StoreError, match=r"expected a relative path"):
        store.put("../a", made)


def test_a_file_on_another_file_system_is_put_there_as_a_copy(tmp_path, monkeypatch):
    store = open_store(str(tmp_path / "acme"))
    made = tmp_path / "made"
    made.write_bytes(b"PAR1")
    without_links(monkeypatch)
    mark = store.put("daily/a.parquet", made)
    made.unlink()
    assert store.read("daily/a.parquet") == b"PAR1"
    assert store.marks("") == {"daily/a.parquet": mark}


def test_a_deleted_key_is_gone_and_may_be_deleted_again(store):
    store.write("a/b", b"1")
    store.delete("a/b")
    store.delete("a/b")
    store.delete("a")
    store.delete("never/was")
    assert not store.exists("a/b")
    assert list(store.keys("")) == []


def test_a_folder_for_files_of_others_is_no_key_and_takes_none_away(store):
    for _ in range(2):
        store.offer_folder("inbox/")
        assert list(store.keys("inbox/")) == []
    store.write("inbox/a.csv", b"1")
    store.offer_folder("inbox/")
    assert list(store.keys("")) == ["inbox/a.csv"]
    with pytest.raises(StoreError, match=r"store key is '\.\./inbox'"):
        store.offer_folder("../inbox/")


def test_create_is_refused_where_something_is(store):
    store.create("decisions/7.json", b"promote")
    with pytest.raises(AlreadyExistsError, match=r"decisions/7\.json"):
        store.create("decisions/7.json", b"hold")
    assert store.read("decisions/7.json") == b"promote"
    assert list(store.keys("")) == ["decisions/7.json"]


def test_a_deleted_key_can_be_created_again(store):
    store.create("lock", b"1")
    store.delete("lock")
    store.create("lock", b"2")
    assert store.read("lock") == b"2"


def test_of_eight_who_create_the_same_key_one_wins(store):
    gate = Barrier(8)

    def attempt(number: int) -> int | None:
        gate.wait()
        try:
            store.create("approvals/42", b"%d" % number)
        except AlreadyExistsError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(attempt, range(8)) if number is not None]
    assert len(winners) == 1
    assert store.read("approvals/42") == b"%d" % winners[0]
    assert list(store.keys("")) == ["approvals/42"]


def test_a_reader_never_sees_a_part_of_a_write(store):
    versions = [b"a" * 200_000, b"b" * 300_000]
    store.write("big", versions[0])

    def write_twenty_times() -> None:
        for number in range(20):
            store.write("big", versions[number % 2])

    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(write_twenty_times)
        seen = [store.read("big")]
        while not writing.done():
            seen.append(store.read("big"))
        writing.result()
    assert all(found in versions for found in seen)


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_that_leaves_the_store_is_refused(store, key):
    for ask in (store.read, store.exists, store.delete):
        with pytest.raises(StoreError, match="store key is"):
            ask(key)
    for put in (store.write, store.create):
        with pytest.raises(StoreError, match="store key is") as caught:
            put(key, b"")
        assert str(caught.value).startswith(store.uri)


def test_a_key_with_an_empty_part_is_never_written_and_not_there(store):
    for put in (store.write, store.create):
        with pytest.raises(StoreError, match="store key is 'a//b', expected a relative path"):
            put("a//b", b"")
    with pytest.raises(StoreError):
        store.read("a//b")


def test_what_is_listed_can_be_read_and_taken_away_however_somebody_else_named_it(s3_endpoint, tmp_path):  # noqa: F811
    store = open_store(f"s3://{new_bucket(s3_endpoint)}/acme", endpoint=s3_endpoint)
    for name in ("inbox//a.xlsx", "inbox///b", "inbox/../c", "inbox/./d", "inbox//", "/inbox/e"):
        store.client.put_object(Bucket=store.bucket, Key=f"acme/{name}", Body=name.encode())
    assert list(store.keys("")) == ["inbox///b", "inbox//a.xlsx"]  # the others are no paths, as in a folder
    for key in store.keys("inbox/"):
        assert store.read(key) == store.fetch(key, tmp_path).read_bytes() == key.encode()
        store.delete(key)
    assert list(store.keys("")) == []


@pytest.mark.parametrize("prefix", ["..", "../", "/", "a//", "a/../"])
def test_a_prefix_that_leaves_the_store_is_refused(store, prefix):
    with pytest.raises(StoreError, match="store key is"):
        list(store.keys(prefix))


class Action(StrEnum):
    HOLD = "hold"


BERLIN_WINTER = timezone(timedelta(hours=1))
DECISION = {
    "day": date(2026, 11, 23),
    "at": datetime(2026, 11, 23, 9, 30, tzinfo=BERLIN_WINTER),
    "action": Action.HOLD,
}


def test_rows_are_written_one_a_line(store):
    write_jsonl(store, "rows.jsonl", [{"b": 1, "a": "x\ny\u2028zü"}, DECISION])
    assert store.read("rows.jsonl").decode() == (
        '{"a": "x\\ny\u2028zü", "b": 1}\n{"action": "hold", "at": "2026-11-23T09:30:00+01:00", "day": "2026-11-23"}\n'
    )


def test_no_rows_make_an_empty_file(store):
    write_jsonl(store, "rows.jsonl", [])
    assert store.read("rows.jsonl") == b""


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "not JSON compliant"),
        (datetime(2026, 11, 23), "has no offset"),
        ({1, 2}, "found set"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_a_value_json_cannot_hold_is_refused_and_nothing_is_written(tmp_path, value, reason):
    store = open_store(str(tmp_path))
    with pytest.raises(StoreError, match=rf"a\.jsonl line 2: cannot be written as JSON: .*{reason}"):
        write_jsonl(store, "a.jsonl", [{}, {"value": value}])
    assert list(store.keys("")) == []


@pytest.mark.parametrize(
    "uri", ["", "clients/acme", "./acme", "~/acme", "gs://b/p", "file://host/x", "file:x", "s3://"]
)
def test_an_address_that_is_no_store_is_refused(uri):
    with pytest.raises(StoreError, match="expected an absolute folder"):
        open_store(uri)


def test_a_store_is_opened_with_the_credentials_of_its_time_and_knows_of_s3_what_others_know(monkeypatch):
    stores = []
    for key in ("early", "late"):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        stores.append(open_store("s3://bucket/acme", endpoint="http://127.0.0.1:1"))
        assert f"={key}" in stores[-1].client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    one, other = (store.client.meta.service_model.operation_model("GetObject") for store in stores)
    assert one.metadata is other.metadata  # read once in a process


def test_an_address_names_the_same_store_however_it_is_written(tmp_path, s3_endpoint):  # noqa: F811
    open_store((tmp_path / "my acme").as_uri() + "/").write("a", b"1")
    assert (tmp_path / "my acme" / "a").read_bytes() == b"1"
    assert open_store(f"{tmp_path}/").uri == str(tmp_path)
    assert open_store("s3://bucket/a/b/", endpoint=s3_endpoint).uri == "s3://bucket/a/b"
    assert open_store("s3://bucket/", endpoint=s3_endpoint).uri == "s3://bucket"
    with pytest.raises(StoreError, match="store key is"):
        open_store("s3://bucket/a/../b", endpoint=s3_endpoint)


def test_two_prefixes_in_one_bucket_do_not_see_each_other(s3_endpoint):  # noqa: F811
    bucket = new_bucket(s3_endpoint)
    acme, whole = (open_store(f"s3://{bucket}{prefix}", endpoint=s3_endpoint) for prefix in ("/acme", ""))
    acme.create("a", b"1")
    open_store(f"s3://{bucket}/acme-labs", endpoint=s3_endpoint).write("a", b"2")
    assert list(acme.keys("")) == ["a"]
    assert list(whole.keys("")) == ["acme-labs/a", "acme/a"]


def test_the_folder_mark_of_a_console_is_no_key(s3_endpoint):  # noqa: F811
    store = open_store(f"s3://{new_bucket(s3_endpoint)}/acme", endpoint=s3_endpoint)
    store.client.put_object(Bucket=store.bucket, Key="acme/log/", Body=b"")
    store.write("log/a", b"1")
    assert list(store.keys("log/")) == ["log/a"]


def test_more_keys_than_one_page_are_all_listed(s3_endpoint):  # noqa: F811
    store = open_store(f"s3://{new_bucket(s3_endpoint)}", endpoint=s3_endpoint)
    pages = []

    def ask_for_two(params, **_: object):
        pages.append(params)
        return params | {"MaxKeys": 2}

    store.client.meta.events.register("provide-client-params.s3.ListObjectsV2", ask_for_two)
    for key in "edcba":
        store.write(key, b"")
    assert list(store.keys("")) == ["a", "b", "c", "d", "e"]
    assert len(pages) == 3


def test_a_missing_bucket_is_not_a_missing_key(s3_endpoint):  # noqa: F811
    store = open_store("s3://no-such-bucket-here/acme", endpoint=s3_endpoint)
    for ask in (store.read, store.exists, store.delete, lambda key: list(store.keys(key))):
        with pytest.raises(StoreError, match=r"s3://no-such-bucket-here/acme/champion\.json.*NoSuchBucket") as caught:
            ask("champion.json")
        assert not isinstance(caught.value, NotFoundError)


def test_a_server_that_does_not_answer_is_a_store_error_within_seconds(s3_endpoint):  # noqa: F811
    with socket.socket() as held:  # bound but not listening: nobody else can take the port
        held.bind(("127.0.0.1", 0))
        store = open_store("s3://bucket/acme", endpoint=f"http://127.0.0.1:{held.getsockname()[1]}")
        before = time.monotonic()
        with pytest.raises(StoreError, match=r"s3://bucket/acme/champion\.json: Could not connect"):
            store.read("champion.json")
    assert time.monotonic() - before < 15


def test_a_download_that_breaks_off_again_and_again_is_a_store_error(breaking_s3_endpoint, tmp_path):  # noqa: F811
    store = open_store("s3://bucket/acme", endpoint=breaking_s3_endpoint)
    with pytest.raises(
        StoreError,
        match=r"s3://bucket/acme/log/a\.parquet: Max Retries Exceeded: 4 read, but total bytes expected is 1000",
    ):
        store.fetch("log/a.parquet", tmp_path)


def test_an_endpoint_that_is_no_address_is_refused():
    with pytest.raises(StoreError, match="s3://bucket/acme: cannot be opened at endpoint localhost:9000"):
        open_store("s3://bucket/acme", endpoint="localhost:9000")


def test_a_server_that_ignores_conditions_cannot_be_used_to_create(careless_s3_endpoint):  # noqa: F811
    endpoint, objects = careless_s3_endpoint
    store = open_store("s3://bucket/acme", endpoint=endpoint)
    for _ in range(2):
        with pytest.raises(StoreError, match="s3://bucket/acme: the S3 server ignores If-None-Match"):
            store.create("decision.json", b"{}")
    assert objects == {}
    store.write("decision.json", b"{}")
    assert objects == {"/bucket/acme/decision.json": b"{}"}


def test_the_probe_leaves_nothing_behind(s3_endpoint):  # noqa: F811
    store = open_store(f"s3://{new_bucket(s3_endpoint)}", endpoint=s3_endpoint)
    store.create("a", b"1")
    left = store.client.list_objects_v2(Bucket=store.bucket)["Contents"]
    assert [entry["Key"] for entry in left] == ["a"]


def test_a_creation_whose_answer_was_lost_is_not_taken_for_another_writer(s3_endpoint):  # noqa: F811
    store = open_store(f"s3://{new_bucket(s3_endpoint)}", endpoint=s3_endpoint)
    store.create("first", b"the probe is done")
    lost = []

    def lose_the_first_answer(response, **_: object) -> float | None:
        if not lost and response is not None and response[0].status_code == 200:
            lost.append(response)
            return 0.0  # seconds until botocore asks again, as after a broken connection
        return None

    store.client.meta.events.register_first("needs-retry.s3.PutObject", lose_the_first_answer)
    store.create("decision.json", b"promote")
    assert len(lost) == 1
    assert store.read("decision.json") == b"promote"
    with pytest.raises(AlreadyExistsError):
        store.create("decision.json", b"hold")


def conflicting(endpoint: str, *, times: int) -> tuple[Store, list[int]]:
    """A store whose server answers so many creations with a conflict, and one number for each that it was asked."""
    store, asked = open_store(f"s3://{new_bucket(endpoint)}", endpoint=endpoint), []
    store.create("first", b"the probe is done")

    def conflict(**_: object) -> tuple[SimpleNamespace, dict[str, object]] | None:
        asked.append(1)
        told = {"Error": {"Code": "ConditionalRequestConflict", "Message": "retry"}}
        return (SimpleNamespace(status_code=409), told) if len(asked) <= times else None

    store.client.meta.events.register("before-call.s3.PutObject", conflict)
    return store, asked


def test_a_conflict_is_asked_again_and_not_taken_for_an_object_that_is_there(s3_endpoint):  # noqa: F811
    store, asked = conflicting(s3_endpoint, times=1)
    store.create("decision.json", b"promote")
    assert store.read("decision.json") == b"promote"
    assert len(asked) == 2


def test_a_conflict_that_does_not_end_is_a_store_error_and_where_something_is_there_says_so(s3_endpoint, monkeypatch):  # noqa: F811
    monkeypatch.setattr("upkeep.adapters.store.WAITS", (0, 0))
    store, asked = conflicting(s3_endpoint, times=99)
    with pytest.raises(StoreError, match=r"decision\.json: .*ConditionalRequestConflict") as caught:
        store.create("decision.json", b"promote")
    assert not isinstance(caught.value, AlreadyExistsError)
    assert len(asked) == 3
    with pytest.raises(AlreadyExistsError, match=r"first: .*ConditionalRequestConflict.* it is there already"):
        store.create("first", b"again")


def test_a_second_store_reads_the_description_of_s3_no_more(s3_endpoint):  # noqa: F811
    read = [open_store(f"s3://bucket/{n}", endpoint=s3_endpoint).client.meta.service_model for n in range(2)]
    assert read[0]._service_description is read[1]._service_description


def write_for_ever(folder: str) -> None:
    store = open_store(folder)
    number = 0
    while True:
        store.write("state", b"%d" % (number % 10) * 200_000)
        number += 1


def test_a_writer_that_is_killed_leaves_a_whole_file(tmp_path):
    writer = multiprocessing.get_context("spawn").Process(target=write_for_ever, args=(str(tmp_path),), daemon=True)
    writer.start()
    store = open_store(str(tmp_path))
    deadline = time.monotonic() + 60
    while not store.exists("state") and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    writer.kill()
    writer.join()
    data = store.read("state")
    assert len(data) == 200_000
    assert len(set(data)) == 1
    assert list(store.keys("")) == ["state"]


def test_files_still_being_written_are_not_keys(tmp_path):
    store = open_store(str(tmp_path))
    store.write("a/b", b"1")
    (tmp_path / "a" / ".aside-0123").write_bytes(b"half")
    (tmp_path / ".probe").mkdir()
    (tmp_path / ".probe" / "x").touch()
    assert list(store.keys("")) == ["a/b"]


def test_a_failed_write_leaves_the_old_bytes_and_nothing_else(tmp_path):
    store = open_store(str(tmp_path))
    store.write("folder/file", b"old")
    with pytest.raises(StoreError, match=rf"{tmp_path}/folder: "):
        store.write("folder", b"a folder is in the way")
    with pytest.raises(StoreError, match=rf"{tmp_path}/folder/file/deeper: "):
        store.create("folder/file/deeper", b"a file is in the way")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "file"]
    assert store.read("folder/file") == b"old"


def test_a_link_to_a_folder_that_it_lies_in_leads_to_no_file_a_second_time(tmp_path):
    store = open_store(str(tmp_path))
    store.write("inbox/a/ada.csv", b"1")
    (tmp_path / "inbox/a/loop").symlink_to(tmp_path / "inbox")
    (tmp_path / "inbox/again").symlink_to(tmp_path / "inbox/a")
    assert list(store.keys("inbox/")) == ["inbox/a/ada.csv", "inbox/again/ada.csv"]


def test_a_linked_folder_is_listed_as_it_is_read(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jsonl").write_bytes(b"1")
    store = open_store(str(tmp_path / "store"))
    store.write("champion.json", b"{}")
    (tmp_path / "store" / "log").symlink_to(tmp_path / "elsewhere")
    assert list(store.keys("")) == ["champion.json", "log/a.jsonl"]
    assert store.read("log/a.jsonl") == b"1"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_not_an_empty_one(tmp_path):
    store = open_store(str(tmp_path))
    store.write("log/a", b"1")
    (tmp_path / "log").chmod(0)
    try:
        with pytest.raises(StoreError, match="Permission denied"):
            list(store.keys("log/"))
    finally:
        (tmp_path / "log").chmod(0o755)
