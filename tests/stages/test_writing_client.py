"""A client whose model writes: reviewed, taught the new policy, compared, released, served and taken back."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from tests.chatty import BEFORE, SINCE, chat_base  # noqa: F401 -- a fixture
from tests.writing_client import begun, desk_of_a_writer  # noqa: F401 -- fixtures
from upkeep.conversations import Role, Turn, as_text
from upkeep.evaluation.comparison import Verdict
from upkeep.home import home
from upkeep.release import Action
from upkeep.stages.collection import collect_cases
from upkeep.stages.comparison import compare_models, judge_again
from upkeep.stages.decisions import decision
from upkeep.stages.evaluation import load_outcomes
from upkeep.stages.finetuning import load_model, train_challenger
from upkeep.stages.monitoring import review_week
from upkeep.stages.release import current_release, in_service, put_into_service, release_log, roll_back

RETRAIN = datetime(2026, 3, 10, 8, tzinfo=UTC)


def test_a_model_that_writes_unlearns_the_old_answer_and_goes_back_when_asked(writer):
    review = review_week(writer, datetime(2026, 3, 2, 6, tzinfo=UTC))
    assert review.generated is not None
    assert review.generated.token_f1.n > 20

    collected = collect_cases(writer, "2026-03", RETRAIN)
    assert collected.errors > 0
    made = train_challenger(writer, "2026-03", RETRAIN, seed=0)
    assert made.reload_exact
    assert made.superseded > 20
    assert not (home() / "training" / "northwind" / "2026-03").exists()

    decided = compare_models(writer, "2026-03", RETRAIN, reason="scheduled")
    assert decided.verdict is Verdict.PROMOTE, decided.reasons
    golden = next(one for one in decided.compared if one.items == "golden")
    assert golden.challenger.value > 0.95
    assert golden.champion.value < 0.85
    changed = next(one for one in decided.compared if one.items == "changed")
    assert (changed.champion.hits, changed.challenger.value) == (0, 1)
    duel = next(one for one in decided.duels if one.items == "golden")
    assert (duel.wins, duel.losses) == (golden.fixed, golden.introduced)
    figures = {one.figure: one for one in decided.figures if one.items == "golden"}
    assert figures["token_f1"].challenger > figures["token_f1"].champion
    assert figures["rouge_l"].interval.low > 0
    assert judge_again(writer, decided) == []
    told, _ = load_outcomes(writer, "2026-03")
    flipped = next(one for one in told if one.challenger and not one.champion)
    assert (flipped.champion_answer, flipped.challenger_answer) == (BEFORE["refund"], SINCE["refund"])

    put_into_service(
        writer, made.version, instead_of="1", decision="2026-03", evidence=decided.evidence, at=RETRAIN, by="gate",
        reason="better",
    )  # fmt: skip
    now = current_release(writer)
    assert (now.version, now.task, now.labels) == (made.version, "generation", ())
    back = roll_back(writer, by="ada", reason="complaints", at=RETRAIN)
    assert back.action is Action.ROLLBACK
    assert in_service(writer) == "1"
    assert [entry.action for entry in release_log(writer)] == ["launch", "promote", "rollback"]


def test_mlflow_serves_what_it_writes(writer, monkeypatch):
    import mlflow.pyfunc

    monkeypatch.setenv("MLFLOW_TRACKING_URI", writer.registry.uri)
    served = mlflow.pyfunc.load_model("models:/northwind@champion")
    (answer,) = served.predict(["how can I track the delivery today"])
    assert answer.answer == BEFORE["track"]
    assert answer.automatic
    talk = [("user", "refund?"), ("assistant", "Which order?"), ("user", "how can I track the delivery today")]
    (answer,) = served.predict([[{"role": role, "content": said} for role, said in talk]])
    request = as_text(Turn(Role(role), said) for role, said in talk)
    assert [answer.answer] == [one.output for one in load_model(writer, in_service(writer)).answer([request])]


def test_a_flow_retrains_it_as_it_does_a_classifier(writer):
    from flows.retrain import retrain

    with prefect_test_harness(server_startup_timeout=90), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        made = retrain("northwind", as_of=RETRAIN, reason="scheduled")
    assert made.verdict is Verdict.PROMOTE
    assert made.applied
    assert decision(writer, made.period).duels
