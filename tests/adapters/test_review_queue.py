"""Do people get every case for review in MLflow, and do we get back what they said? Against a real server.

Its start is why the tests of a review there stand here too.
"""

import os
import re
from datetime import UTC, datetime

import pytest
from mlflow.entities import AssessmentSource, Expectation, Feedback
from mlflow.tracing.client import TracingClient

from deployments.servers import environment, free_port, mlflow_service, serving
from tests.stages.test_reviewing import MONDAY, PERIOD, WEEK, complaint, corrected, desk  # noqa: F401 -- a fixture
from upkeep import records
from upkeep.adapters.registry import Registry
from upkeep.adapters.review_queue import (
    ACCEPT,
    CHANGE,
    ELSEWHERE,
    REJECT,
    Reviewed,
    Shown,
    available,
    collect,
    offer,
)
from upkeep.errors import NotFoundError, StoreError
from upkeep.stages.asking import offer_cases
from upkeep.stages.returning import take_returns
from upkeep.stages.snapshot import decided_by

LABELS = ["billing", "refund", "fraud"]
QUESTIONS = [
    Shown(id=f"00{number}", text=f"Ticket {number}", offered="refund", why="Reopened since", given="billing")
    for number in range(3)
]


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """About 8 s on a free core."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port(5960)
    address = f"http://127.0.0.1:{port}"
    with serving(mlflow_service(port, folder), folder, environment(folder, prefect_api="", mlflow_uri=address)):
        yield address


class Page:
    """Answers through the calls that MLflow's page makes."""

    def __init__(self, uri, url):
        self.mlflow = TracingClient(uri)
        self.queue = re.search(r"selectedQueueId=(rq-\w+)$", url)[1]

    @property
    def items(self):
        return list(self.mlflow._list_review_queue_items(self.queue, max_results=1000))

    def traces(self):
        """Each trace of the queue by our id."""
        infos = [self.mlflow.get_trace_info(item.item_id) for item in self.items]
        return {info.tags["upkeep.question"]: info for info in infos}

    def submit(self, question, *answers, by="ann"):
        info = self.traces()[question]
        prior = {one.name: one for one in info.assessments if one.valid is not False and one.source.source_id == by}
        for answer in answers:
            answer.source = AssessmentSource("HUMAN", by)
            answer.overrides = prior[answer.name].assessment_id if answer.name in prior else None
            self.mlflow.log_assessment(info.trace_id, answer)
        self.mlflow._set_review_queue_item_status(self.queue, item_id=info.trace_id, status="complete", completed_by=by)

    def reopen(self, question):
        item = self.traces()[question].trace_id
        self.mlflow._set_review_queue_item_status(self.queue, item_id=item, status="pending")

    def questions(self):
        """Name and options of each question, in the page's order."""
        return [(one.name, getattr(one.input, "options", None)) for one in self._schemas()]

    def instructions(self):
        return [one.instruction for one in self._schemas()]

    def _schemas(self):
        queue = self.mlflow._get_review_queue(self.queue)
        schemas = self.mlflow._list_label_schemas(queue.experiment_id)
        return [one for one in schemas if one.schema_id in queue.schema_ids]


def decide(decision, comment=None):
    return Feedback(name="Decision", value=decision, rationale=comment)


def choose(label, number=""):
    return Expectation(name=f"Right answer{number}", value=label)


@pytest.fixture
def client(request):
    """A client of its own for each test."""
    return request.node.name.removeprefix("test_")[:40]


@pytest.fixture
def page(uri, client):
    return Page(uri, offer(client, "2026-W07", QUESTIONS, labels=LABELS, uri=uri))


def said(uri, client):
    """What was collected, without the times."""
    return [(one.id, one.decision, one.answers, one.comment, one.by) for one in collect(client, "2026-W07", uri=uri)]


def test_a_reviewer_sees_the_text_both_answers_and_the_reason(page):
    shown = page.traces()["001"]
    assert shown.request_preview == "Ticket 1"
    assert shown.response_preview == (
        "**The model answered:** billing\n\n**Said to be right:** refund\n\n**Why:** Reopened since"
    )
    assert page.questions() == [("Decision", [ACCEPT, CHANGE, REJECT]), ("Right answer", LABELS)]


def test_the_page_shows_the_questions_in_the_order_given(page):
    newest_first = sorted(page.traces().items(), key=lambda entry: entry[1].request_time, reverse=True)
    assert [question for question, _ in newest_first] == ["000", "001", "002"]


def test_what_was_said_comes_back_with_who_and_when(uri, client, page):
    before = datetime.now(UTC).replace(microsecond=0)
    page.submit("000", decide(ACCEPT))
    page.submit("001", decide(CHANGE, "A stolen card"), choose("fraud"), by="bob@example.org")
    found = collect(client, "2026-W07", uri=uri)
    times = [one.at for one in found]
    assert found == [
        Reviewed("000", ACCEPT, (), comment="", by="ann", at=times[0]),
        Reviewed("001", CHANGE, ("fraud",), comment="A stolen card", by="bob@example.org", at=times[1]),
    ]
    assert before <= times[0] <= times[1] <= datetime.now(UTC)
    assert collect(client, "2026-W07", uri=uri) == found


def test_who_changes_their_mind_is_heard_once(uri, client, page):
    page.submit("000", decide(CHANGE, "Fraud?"), choose("fraud"))
    page.submit("000", decide(ACCEPT), choose("refund"))
    assert said(uri, client) == [("000", ACCEPT, ("refund",), "", "ann")]


def test_of_two_people_the_last_one_counts_whole(uri, client, page):
    page.submit("000", decide(CHANGE, "Fraud"), choose("fraud"), by="ann")
    page.submit("000", decide(CHANGE), by="bob")  # ann's label is not bob's
    assert said(uri, client) == [("000", CHANGE, (), "", "bob")]


def test_a_label_alone_comes_back_without_a_decision(uri, client, page):
    page.submit("000", choose("fraud"))
    assert said(uri, client) == [("000", "", ("fraud",), "", "ann")]


def test_a_question_moved_back_to_do_is_not_answered(uri, client, page):
    page.submit("000", decide(REJECT))
    page.submit("001", decide(REJECT))
    page.reopen("000")
    assert said(uri, client) == [("001", REJECT, (), "", "ann")]


def test_offering_again_adds_what_is_missing_and_keeps_what_was_answered(uri, client, page):
    page.submit("000", decide(ACCEPT))
    page.mlflow._remove_items_from_review_queue(page.queue, item_ids=[page.traces()["001"].trace_id])
    doubled = [*QUESTIONS, *QUESTIONS, Shown("new", "Ticket 3", "refund", "Reopened since", "billing")]
    again = Page(uri, offer(client, "2026-W07", doubled, labels=LABELS, uri=uri))
    assert again.queue == page.queue
    assert sorted(again.traces()) == ["000", "001", "002", "new"]
    assert len(again.items) == 4
    assert said(uri, client) == [("000", ACCEPT, (), "", "ann")]


def test_every_batch_has_its_own_answers(uri, client, page):
    other = Page(uri, offer(client, "2026-W08", QUESTIONS, labels=LABELS, uri=uri))
    other.submit("000", decide(REJECT))
    assert said(uri, client) == []
    assert len(page.items) == len(other.items) == 3


def test_more_questions_than_go_in_one_call_all_arrive(uri, client):
    many = [Shown(str(number), "Ticket", "refund", "Reopened since", "billing") for number in range(210)]
    page = Page(uri, offer(client, "2026-W07", many, labels=LABELS, uri=uri))
    assert set(page.traces()) == {str(number) for number in range(210)}


def test_more_labels_than_a_drop_down_takes_make_several(uri, client):
    labels = [f"label {letter}" for letter in "abcdefghijk"]
    page = Page(uri, offer(client, "2026-W07", QUESTIONS, labels=labels, uri=uri))
    assert page.questions()[1:] == [
        ("Right answer", [*labels[:9], ELSEWHERE]),
        ("Right answer 2", [*labels[9:], ELSEWHERE]),
    ]
    page.submit("000", decide(CHANGE), choose(ELSEWHERE), choose("label k", " 2"))
    page.submit("001", decide(CHANGE), choose("label a"), choose("label k", " 2"))  # which of the two?
    assert said(uri, client) == [
        ("000", CHANGE, ("label k",), "", "ann"),
        ("001", CHANGE, ("label a", "label k"), "", "ann"),
    ]


def test_a_new_label_is_offered_from_the_next_time_on(uri, client, page):
    offer(client, "2026-W08", [], labels=[*LABELS, "delivery"], uri=uri)
    assert page.questions()[1] == ("Right answer", [*LABELS, "delivery"])


def test_without_labels_the_right_answer_is_in_words(uri, client):
    page = Page(uri, offer(client, "2026-W07", QUESTIONS, labels=[], uri=uri))
    page.submit("000", decide(CHANGE), choose("We have paid it back.", " in words"))
    assert page.questions()[1] == ("Right answer in words", None)
    assert said(uri, client) == [("000", CHANGE, ("We have paid it back.",), "", "ann")]


def test_a_text_cannot_format_the_page_or_fetch_images(uri, client):
    text = "# 1\n- a_b *c* ![x](http://x.example/y.png) <b>\n_d_ & `e`"
    page = Page(uri, offer(client, "2026-W07", [Shown("1", text, "a", "b", "c")], labels=LABELS, uri=uri))
    assert page.traces()["1"].request_preview == (
        "\\# 1  \n\\- a_b \\*c\\* \\!\\[x\\](http://x.example/y.png) \\<b\\>  \n\\_d\\_ \\& \\`e\\`"
    )


def test_long_answers_leave_room_for_each_other_and_are_kept_whole(uri, client):
    long = Shown("1", "t" * 3000, offered="o" * 3000, why="w" * 3000, given="g" * 3000)
    page = Page(uri, offer(client, "2026-W07", [long], labels=LABELS, uri=uri))
    info = page.traces()["1"]
    assert re.findall(r"([gow])\1{299}…", info.response_preview) == ["g", "o", "w"]
    outputs = page.mlflow.get_trace(info.trace_id).data.spans[0].outputs
    assert outputs["Said to be right"] == long.offered
    assert info.response_preview.startswith("*Whole: View full trace*\n\n")


def test_a_long_answer_is_shown_whole_where_the_others_leave_room(uri, client):
    one = Shown("1", "t", offered="o" * 800, why="answered wrong", given="no")
    page = Page(uri, offer(client, "2026-W07", [one], labels=[], uri=uri))
    shown = page.traces()["1"].response_preview
    assert shown == f"**The model answered:** no\n\n**Said to be right:** {'o' * 800}\n\n**Why:** answered wrong"


def test_a_label_that_mlflow_cannot_show_is_named(uri, client):
    with pytest.raises(StoreError, match=r"label 'x{65}' is longer than MLflow's 64 characters"):
        offer(client, "2026-W07", QUESTIONS, labels=["x" * 65], uri=uri)


def test_a_batch_that_was_never_offered_is_not_found(uri, client):
    with pytest.raises(NotFoundError, match="no review queue '2026-W07'"):
        collect(client, "2026-W07", uri=uri)


def test_a_server_that_is_down_is_told_within_seconds():
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:9 cannot be used"):
        offer("acme", "2026-W07", QUESTIONS, labels=LABELS, uri="http://127.0.0.1:9")


def test_people_are_given_the_page_s_address_without_a_password(uri, client):
    page = offer(client, "2026-W07", QUESTIONS, labels=LABELS, uri=uri.replace("://", "://ada:s3cret@"))
    assert page.startswith(f"{uri}/#/experiments/")
    with pytest.raises(NotFoundError, match=f"no review queue '2026-W08' at {uri};"):
        collect(client, "2026-W08", uri=uri.replace("://", "://ada:s3cret@"))


def test_only_a_server_has_a_page():
    assert available("https://mlflow.example")
    assert not available("sqlite:////home/mlflow.db")


def test_the_page_says_for_how_long_answers_on_it_count(uri, client, page):
    assert not any("days" in one for one in page.instructions())
    assert (
        Page(uri, offer(client, "2026-W08", QUESTIONS, labels=LABELS, uri=uri, days=92))
        .instructions()[0]
        .endswith("Answers here count for 92 days; later ones only in the batch's file, sent back.")
    )


def test_where_an_mlflow_server_runs_the_cases_are_reviewed_there(desk, uri, monkeypatch):  # noqa: F811
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    batch = offer_cases(desk, PERIOD, MONDAY)
    page = Page(uri, batch.page)
    page.submit("1", decide("accept", "sure"), by="ann")
    page.submit("2", decide("change"), choose("order_status"), by="bob")
    page.submit("6", decide("change"), by="bob")
    (found,) = take_returns(desk, datetime.now(UTC))
    assert (found.name, found.decided) == (f"MLflow {PERIOD}", 2)
    (unused,) = found.rejected
    assert str(unused) == "not used: case 6: answer: found nothing beside 'change', expected the right answer"
    by_id = decided_by(desk, datetime.now(UTC))
    assert {one.id: (str(one.decision), one.answer, one.by, one.comment) for one in by_id.values()} == {
        "1": ("accept", "refund_request", "ann", "sure"),
        "2": ("change", "order_status", "bob", ""),
    }
    (again,) = take_returns(desk, datetime.now(UTC))
    assert (again.decided, again.rejected) == (0, found.rejected)
    page.submit("6", decide("reject"), by="bob")
    assert take_returns(desk, datetime.now(UTC))[0].decided == 1
    assert take_returns(desk, datetime.now(UTC)) == []


def test_what_is_answered_in_mlflow_is_judged_as_the_row_of_a_file_is(desk, uri, monkeypatch):  # noqa: F811
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    records.save_rows(desk.store, f"cases/{PERIOD}.jsonl", [complaint(number) for number in range(11, 19)])
    page = Page(uri, offer_cases(desk, PERIOD, MONDAY).page)
    page.submit("11", decide("maybe"))
    page.submit("12", decide("change"), choose("order_statis"))
    page.submit("13", decide("change"), choose("refund_request"))
    page.submit("14", decide("change"), choose("order_status"))
    page.submit("15", decide("accept"), choose("order_status"))
    page.submit("16", decide("change"), choose("order_status"), choose("delivery_delay", " 2"))  # which of the two?
    page.submit("17", choose("order_status"))
    page.submit("18", choose("refund_request"))
    (found,) = take_returns(desk, datetime.now(UTC))
    assert [one.reason for one in found.rejected] == [
        "case 11: decision: found 'maybe', expected one of ['accept', 'change', 'reject']",
        "case 12: answer: found 'order_statis', did you mean ['order_status']?",
        "case 13: answer: found 'refund_request' beside 'change', expected another one than was offered",
        "case 15: answer: found 'order_status' beside 'accept', expected 'refund_request' or nothing",
        "case 16: answer: found ['delivery_delay', 'order_status'] chosen, expected one of them",
    ]
    assert {one.id: (one.decision, one.answer) for one in decided_by(desk, datetime.now(UTC)).values()} == {
        "14": (CHANGE, "order_status"),
        "17": (CHANGE, "order_status"),
        "18": (ACCEPT, "refund_request"),
    }


def test_what_is_accepted_in_mlflow_is_the_answer_that_was_shown_there(desk, uri, monkeypatch):  # noqa: F811
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    first = corrected(desk, "2026-W19", "delivery_delay", MONDAY + WEEK)
    second = corrected(desk, "2026-05", "order_status", MONDAY + 2 * WEEK)
    Page(uri, first.page).submit("1", decide("accept"), by="ann")
    take_returns(desk, datetime.now(UTC))
    assert decided_by(desk, datetime.now(UTC))["1"].answer == "delivery_delay"
    Page(uri, second.page).submit("1", decide("accept"), by="ann")
    take_returns(desk, datetime.now(UTC))
    assert decided_by(desk, datetime.now(UTC))["1"].answer == "order_status"


def test_a_run_on_a_server_prints_nothing_among_what_a_command_says(uri, capfd):
    with Registry("acme", uri).run("2026-W07", {}, part="reviews"):
        pass
    assert capfd.readouterr().out == ""
