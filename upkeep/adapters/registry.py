"""Which version of a client's model is in service, and where does everything about it stand in MLflow?

One experiment for retrains, one for reviews and one registered model per client. MLflow is spoken to through a client
that is told its tracking address, so nothing depends on what another thread set. What MLflow raises leaves this module
as a StoreError, and no password with it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

import yaml

from upkeep.adapters.addresses import shown, shown_address
from upkeep.errors import NoChampionError, NotFoundError, StoreError
from upkeep.home import home
from upkeep.locks import one_at_a_time
from upkeep.models.manifest import expect_client, read_manifest
from upkeep.recipes import Task
from upkeep.slug import hash_suffix

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

Speaks = TypeVar("Speaks", bound="Run | Registry")
Given = ParamSpec("Given")
Found = TypeVar("Found")

CHAMPION, CHALLENGER = "champion", "challenger"
KEY = "upkeep.run"
"""The tag by which a run that was killed is found again."""
DIGEST_LENGTH = 36
"""MLflow stores no longer dataset digest."""
SERVING = ("mlflow", "torch", "transformers", "peft", "safetensors", "pydantic")
"""What MLflow notes that a model needs beside Upkeep, which comes from a checkout: indexes have another so named."""
IS_IT_THIS_ONE = "is MLFLOW_TRACKING_URI set to the server that has it?"
SERVED = "mlflow-artifacts URI"
"""What MLflow's error speaks of where only a server can reach a file."""
NO_SERVER = (
    "its files were written while an MLflow server ran, and only that reaches them: start the servers (`make up`) and "
    "set MLFLOW_TRACKING_URI to the address that they tell, or to that of your own server"
)
ARTIFACTS = "mlartifacts"
"""The folder under UPKEEP_HOME of a local MLflow's artifacts."""
LONGEST_NAME = 250
"""Characters of a metric's name in MLflow."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a run was computed on: a name, our own content digest, and `training` or `evaluation`."""

    name: str
    digest: str
    use: str


class Point(NamedTuple):
    """Metrics at one step, and the time they are of."""

    values: Mapping[str, float]
    step: int
    at: datetime


def tracking_uri() -> str:
    """`MLFLOW_TRACKING_URI`, else the SQLite file under UPKEEP_HOME."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home() / 'mlflow.db'}"


@contextmanager
def speaking(uri: str, failing: str | None = None) -> Iterator[None]:
    """Raise NotFoundError for what MLflow does not have, and StoreError for whatever else it raises in the block."""
    from botocore.exceptions import BotoCoreError, ClientError
    from mlflow.exceptions import MlflowException

    try:
        yield
    # a server's refusal of a file, a database's missing driver, a bucket that MLflow does not reach
    except (MlflowException, OSError, ImportError, BotoCoreError, ClientError) as exc:
        why = NO_SERVER if SERVED in str(exc) and not uri.startswith("http") else exc
        said = shown(f"{failing or f'MLflow at {uri}'}: {why}".replace(uri, shown_address(uri)))
        absent = isinstance(exc, MlflowException) and exc.error_code == "RESOURCE_DOES_NOT_EXIST"
        error = NotFoundError(f"{said}; {IS_IT_THIS_ONE}") if absent else StoreError(said)
        raise error from (exc if shown_address(uri) == uri else None)  # MLflow's own quote the address


@contextmanager
def _first_alone(uri: str) -> Iterator[None]:
    """Of several processes one at a time: each lays out the tables of MLflow's file where it finds none."""
    file = uri.startswith("sqlite:///")
    with one_at_a_time(Path(f"{uri.removeprefix('sqlite:///')}.lock")) if file else nullcontext():
        yield


def _told(
    method: Callable[Concatenate[Speaks, Given], Found],
) -> Callable[Concatenate[Speaks, Given], Found]:
    """A method that raises what `speaking` does."""

    @wraps(method)
    def told(self: Speaks, /, *args: Given.args, **named: Given.kwargs) -> Found:
        with speaking(self.uri):
            return method(self, *args, **named)

    return told


class Run:
    """An open MLflow run."""

    def __init__(self, client: MlflowClient, run_id: str, uri: str) -> None:
        self.client = client
        self.run_id = run_id
        self.uri = uri

    @_told
    def params(self, values: Mapping[str, object]) -> None:
        """Log parameters."""
        from mlflow.entities import Param

        self.client.log_batch(self.run_id, params=[Param(key, str(value)) for key, value in values.items()])

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log metrics, all in one call."""
        self.history([Point(values, 0, datetime.now(UTC))])

    @_told
    def history(self, points: Iterable[Point]) -> None:
        """Log metrics of several steps, in as few calls as MLflow takes."""
        from mlflow.entities import Metric

        batch = [
            Metric(metric_name(key), float(value), int(point.at.timestamp() * 1000), point.step)
            for point in points
            for key, value in point.values.items()
        ]
        for start in range(0, len(batch), 500):  # MLflow takes 1,000 a call, all kinds together
            self.client.log_batch(self.run_id, metrics=batch[start : start + 500])

    @_told
    def dataset(self, dataset: Dataset) -> None:
        """Say what the run was computed on."""
        from mlflow.entities import Dataset as MlflowDataset
        from mlflow.entities import DatasetInput, InputTag

        digest = dataset.digest[:DIGEST_LENGTH]
        entry = MlflowDataset(name=dataset.name, digest=digest, source_type="upkeep", source=dataset.name)
        self.client.log_inputs(self.run_id, [DatasetInput(entry, [InputTag("mlflow.data.context", dataset.use)])])

    @_told
    def table(self, name: str, columns: Mapping[str, list[Any]]) -> None:
        """Log a table that the UI shows row by row and compares between runs."""
        self.client.log_table(self.run_id, {key: list(column) for key, column in columns.items()}, name)

    @_told
    def picture(self, name: str, png: bytes) -> None:
        """Log a PNG file."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / name
            path.write_bytes(png)
            self.client.log_artifact(self.run_id, str(path))

    @_told
    def text(self, name: str, text: str) -> None:
        """Log a text file."""
        self.client.log_text(self.run_id, text, name)


class Registry:
    """A client's experiment, model versions and aliases."""

    def __init__(self, client_name: str, uri: str | None = None) -> None:
        self.name = client_name
        self.uri = uri or tracking_uri()
        self._client: MlflowClient | None = None

    @property
    def is_there(self) -> bool:
        """Is there an MLflow to ask? One of files here is made at the first use."""
        return not self.uri.startswith("sqlite:///") or Path(self.uri.removeprefix("sqlite:///")).exists()

    @property
    def client(self) -> MlflowClient:
        """The MLflow client; the heavy import and the store's set-up happen at the first use."""
        if self._client is None:
            from mlflow import MlflowClient

            with speaking(self.uri, f"MLflow at {self.uri} cannot be used"), _first_alone(self.uri):
                client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
                client.search_experiments(max_results=1)
            self._client = client
        return self._client

    @_told
    def experiment(self, part: str = "") -> str:
        """The id of the client's experiment, or of a `part` beside it, made at the first use."""
        name = f"{self.name}/{part}" if part else self.name
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            self._expect_in_place(str(found.artifact_location))
            return str(found.experiment_id)
        local = self.uri.startswith("sqlite:")
        where = (home() / ARTIFACTS / name).as_uri() if local else None
        return str(self.client.create_experiment(name, artifact_location=where))

    @_told
    def has_run(self, part: str, tag: str, value: str) -> bool:
        """Is there a finished run with this tag?"""
        wanted = f"tags.`{tag}` = '{value}' and attributes.status = 'FINISHED'"
        return bool(self.client.search_runs([self.experiment(part)], wanted, max_results=1))

    @_told
    def tagged(self, part: str, tag: str, start: str) -> set[str]:
        """The values of a tag that begin so, of the finished runs; of more than a thousand those of the newest."""
        wanted = f"tags.`{tag}` LIKE '{start}%' and attributes.status = 'FINISHED'"
        found = self.client.search_runs([self.experiment(part)], wanted)
        return {run.data.tags[tag] for run in found}

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str], *, part: str = "", key: str | None = None) -> Iterator[Run]:
        """A run that ends as FINISHED, or as FAILED when the block raises.

        With a key it is the run of that key that never came to its end, where there is one.
        """
        run_id = self._begin(name, tags, part, key)
        try:
            yield Run(self.client, run_id, self.uri)
        except BaseException:
            with suppress(StoreError):  # what the block raised is what is to be told
                self._end(run_id, "FAILED")
            raise
        self._end(run_id, "FINISHED")

    @_told
    def _begin(self, name: str, tags: Mapping[str, str], part: str, key: str | None) -> str:
        tagged = {**tags, "mlflow.runName": name, "mlflow.source.name": "upkeep"}
        run_id = self._unfinished(key, part) if key else None
        if run_id is not None:
            self.client.update_run(run_id, status="RUNNING")
            return run_id
        tagged |= {KEY: key} if key else {}
        return str(self.client.create_run(self.experiment(part), run_name=name, tags=tagged).info.run_id)

    @_told
    def _end(self, run_id: str, status: str) -> None:
        self.client.set_terminated(run_id, status)

    def _unfinished(self, key: str, part: str) -> str | None:
        wanted = f"tags.`{KEY}` = '{key}' and attributes.status != 'FINISHED'"
        found = self.client.search_runs([self.experiment(part)], wanted, max_results=1)
        return str(found[0].info.run_id) if found else None

    @_told
    def register(
        self, run: Run, release: Path, *, base_model: Mapping[str, object], about: str, tags: Mapping[str, str]
    ) -> str:
        """Log a release folder as a servable model, make a new version of it, and alias it `challenger`.

        Raises ReleaseError where it is another client's.
        """
        expect_client(read_manifest(release), self.name, release)
        with tempfile.TemporaryDirectory() as scratch:
            model = Path(scratch) / "model"
            _save_servable(model, release, base_model)
            self.client.log_artifacts(run.run_id, str(model), "model")
        if self._model() is None:
            self.client.create_registered_model(self.name, description=f"Maintained by Upkeep for {self.name}")
        source = f"{self.client.get_run(run.run_id).info.artifact_uri}/model"
        version = self.client.create_model_version(
            self.name, source=source, run_id=run.run_id, tags=dict(tags), description=about
        )
        self.client.set_registered_model_alias(self.name, CHALLENGER, str(version.version))
        return str(version.version)

    def champion(self) -> str:
        """The version in service. Raises NoChampionError when there is none."""
        version = self.version(CHAMPION)
        if version is None:
            where = f"client {self.name}: no champion in MLflow at {shown_address(self.uri)}"
            raise NoChampionError(f"{where}; onboard the client first")
        return version

    def version(self, alias: str) -> str | None:
        """The version an alias points to, or None."""
        model = self._model()
        version = model.aliases.get(alias) if model else None
        return None if version is None else str(version)

    def _model(self) -> RegisteredModel | None:
        try:
            with speaking(self.uri):
                return self.client.get_registered_model(self.name)
        except NotFoundError:
            return None

    def promote(self, version: str) -> None:
        """Put a version into service; MLflow switches the alias atomically, and may refuse one of two at once."""
        try:
            with speaking(self.uri):
                self.client.set_registered_model_alias(self.name, CHAMPION, version)
        except StoreError:
            if self.version(CHAMPION) != version:
                raise

    def tag(self, version: str, values: Mapping[str, str]) -> None:
        """Add tags to a version; one that somebody else has added meanwhile is there."""
        for key, value in values.items():
            try:
                with speaking(self.uri):
                    self.client.set_model_version_tag(self.name, version, key, value)
            except StoreError:
                if self.tags(version).get(key) != value:
                    raise

    @_told
    def tags(self, version: str) -> dict[str, str]:
        """The tags of a version. Raises NotFoundError where MLflow has no such version."""
        return dict(self.client.get_model_version(self.name, version).tags)

    def fetch(self, version: str, folder: Path) -> Path:
        """Download a version and return its release folder. Raises StoreError."""
        import mlflow.artifacts

        with speaking(self.uri, f"model {self.name} version {version} cannot be fetched from {self.uri}"):
            source = self._source(version)
            copied = mlflow.artifacts.download_artifacts(
                artifact_uri=source, dst_path=str(folder), tracking_uri=self.uri
            )
        return Path(copied) / "artifacts" / "release"

    def _source(self, version: str) -> str:
        """Where MLflow has a version's files."""
        source = str(self.client.get_model_version_download_uri(self.name, version))
        self._expect_in_place(source)
        return source

    def _expect_in_place(self, location: str) -> None:
        """Raise StoreError where a local MLflow's artifacts lie under an UPKEEP_HOME that has moved away from there."""
        before, under, _ = location.rpartition(f"/{ARTIFACTS}/")
        if not under or not before.startswith("file:") or not self.uri.startswith("sqlite:"):
            return
        old = Path(unquote(urlsplit(before).path))
        if not (old / ARTIFACTS).exists() and (home() / ARTIFACTS).exists():
            raise StoreError(
                f"client {self.name}: MLflow keeps whole paths and expects its files in {old / ARTIFACTS}, which is "
                f"gone; a link from the old place leads to UPKEEP_HOME as it is now: ln -s {home()} {old}"
            )

    def base_model(self, version: str) -> dict[str, object]:
        """The base model that a version was registered with, as the client's config named it. Raises StoreError."""
        import mlflow.artifacts

        with (
            speaking(self.uri, f"the base model of {self.name} version {version} cannot be read from {self.uri}"),
            tempfile.TemporaryDirectory() as scratch,
        ):
            source = self._source(version)
            copied = mlflow.artifacts.download_artifacts(
                artifact_uri=f"{source}/MLmodel", dst_path=scratch, tracking_uri=self.uri
            )
            told = yaml.safe_load(Path(copied).read_text(encoding="utf-8"))
        return dict(told["flavors"]["python_function"]["config"]["base_model"])

    def size(self, version: str) -> int:
        """Bytes of a version's release folder: what is shipped, as the base model is there already."""
        with tempfile.TemporaryDirectory() as scratch:
            release = self.fetch(version, Path(scratch))
            return sum(path.stat().st_size for path in release.rglob("*") if path.is_file())


def _save_servable(model: Path, release: Path, base_model: Mapping[str, object]) -> None:
    import warnings

    code = "served_generator.py" if read_manifest(release).task is Task.GENERATION else "served_model.py"
    with warnings.catch_warnings():
        # MLflow warns of its own hints at import, and of ours, which it would take for a schema
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

        mlflow.pyfunc.save_model(
            str(model),
            python_model=str(Path(__file__).with_name(code)),
            artifacts={"release": str(release)},
            model_config={"base_model": dict(base_model)},
            pip_requirements=[f"{name}=={metadata.version(name).partition('+')[0]}" for name in SERVING],
        )


def metric_name(name: str) -> str:
    """A name that MLflow takes, another one for each: a label may be `/billing`, `C++` or very long.

    It takes letters, digits and `_-. :` in paths that are as short as can be, 250 characters in all.
    """
    taken = "/".join(map(_path_part, name.split("/")))
    return taken if len(taken) <= LONGEST_NAME else f"{taken[: LONGEST_NAME - 7]}-{hash_suffix(name)}"


def _path_part(text: str) -> str:
    plain = "".join(char if char.isalnum() or char in "_-. :" else "_" for char in text)
    return plain if plain == text and text not in ("", ".", "..") else f"{plain}-{hash_suffix(text)}"
