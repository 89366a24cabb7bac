"""Is everything running that Upkeep needs: a Prefect server, an MLflow server, the deployments and a worker?

    python -m deployments.up                 # until Ctrl-C
    python -m deployments.up --background    # until `python -m deployments.down`

A server that PREFECT_API_URL or MLFLOW_TRACKING_URI names already is used, not started.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from deployments.schema import POOL, ROOT
from deployments.servers import (
    HOST,
    Child,
    Service,
    answers,
    await_ready,
    check_alive,
    environment,
    free_port,
    mlflow_service,
    prefect_service,
    running,
    started,
    stop,
    worker_service,
)
from upkeep.errors import ServerError, UpkeepError
from upkeep.home import home
from upkeep.strict_yaml import Strict

SERVICES = ("worker", "sync", "mlflow", "prefect")
"""In the order in which they are stopped."""

START_SECONDS = 180.0


class State(Strict):
    """What is up: the process that holds it together and the addresses it serves."""

    pid: int
    prefect_api: str
    prefect_ui: str
    mlflow: str


def up(folder: Path) -> None:
    """Start what is missing, deploy, and hold it together until Ctrl-C or SIGTERM.

    Raises ServerError when a part does not come up or ends by itself; all of it is stopped then.
    """
    halted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: halted.set())
    try:
        with sole(folder), ExitStack() as stack:
            clear(folder)
            state, children = _start_all(stack, folder, halted)
            stack.callback((folder / "up.json").unlink, missing_ok=True)
            _write_state(folder, state)
            print(describe(state, folder), flush=True)
            while not halted.wait(1):
                for child in children:
                    check_alive(child)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        print("stopped: worker, servers", flush=True)


def up_in_background(folder: Path) -> State:
    """Start `up` as a process of its own and return when all is healthy. Raises ServerError naming the log."""
    log = folder / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            (sys.executable, "-m", "deployments.up"),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        state = read_state(folder)
        if state is not None and state.pid == process.pid:
            return state
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.terminate()
    process.wait()
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    raise ServerError(f"up did not come up; its log {log}:\n{said}")


def down(folder: Path) -> list[str]:
    """Stop what `up` has started, also when `up` itself was killed; the names of what was stopped.

    Raises ServerError naming what is left.
    """
    there = [name for name in SERVICES if started(name, folder)]
    pid = holder(folder)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + START_SECONDS
        while holder(folder) is not None:
            if time.monotonic() > deadline:
                raise ServerError(f"up (process {pid}) is still there after {START_SECONDS:.0f} s; logs in {folder}")
            time.sleep(0.1)
    clear(folder)
    return there


def clear(folder: Path) -> None:
    """Stop what an `up` that was killed has left behind. Raises ServerError naming what is left."""
    (folder / "up.json").unlink(missing_ok=True)
    for name in SERVICES:
        stop(name, folder)


def read_state(folder: Path) -> State | None:
    """What is up and healthy in this home; None when nothing is."""
    if holder(folder) is None:
        return None
    try:
        return State.model_validate_json((folder / "up.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValidationError as exc:
        raise ServerError(f"{folder / 'up.json'}: not a state of up: {exc}") from exc


def describe(state: State, folder: Path) -> str:
    """The addresses, and how another shell reaches them."""
    return "\n".join(
        (
            f"Prefect UI  {state.prefect_ui}",
            f"MLflow UI   {state.mlflow}",
            f"State       {folder}   (logs in {folder / 'logs'})",
            f"Other shell export PREFECT_API_URL={state.prefect_api} MLFLOW_TRACKING_URI={state.mlflow}",
        )
    )


@contextmanager
def sole(folder: Path) -> Iterator[None]:
    """Be the only `up` of this home. Raises ServerError when there is one already."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "up.lock").open("a+", encoding="utf-8") as lock:
        deadline = time.monotonic() + 2
        while not _lock(lock, fcntl.LOCK_EX):  # who only looks holds it for a moment
            if time.monotonic() > deadline:
                raise ServerError(f"{folder}: up is running or starting already")
            time.sleep(0.05)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def holder(folder: Path) -> int | None:
    """The process of this home's `up`; None when there is none. The lock goes with its process, however that ended."""
    try:
        with (folder / "up.lock").open(encoding="utf-8") as lock:
            return None if _lock(lock, fcntl.LOCK_SH) else int(lock.read() or 0) or None
    except FileNotFoundError:
        return None


def _lock(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_all(stack: ExitStack, folder: Path, halted: threading.Event) -> tuple[State, list[Child]]:
    state, services = _plan(folder)
    env = environment(folder, prefect_api=state.prefect_api, mlflow_uri=state.mlflow)
    children = {service.name: stack.enter_context(running(service, folder, env)) for service in services}
    if "prefect" in children:
        await_ready(children["prefect"], halted=halted)
    with running(_sync_service(), folder, env) as syncing:  # MLflow is still coming up meanwhile
        _await_end(syncing, halted)
    if "mlflow" in children:
        await_ready(children["mlflow"], halted=halted)
    worker = stack.enter_context(running(worker_service(POOL), folder, env))
    await_ready(worker, halted=halted)
    return state, [*children.values(), worker]


def _plan(folder: Path) -> tuple[State, list[Service]]:
    """The addresses, and the servers that have to be started for them."""
    services = []
    api = _given("PREFECT_API_URL")
    if api is None:
        port = free_port(4200)
        api = f"http://{HOST}:{port}/api"
        services.append(prefect_service(port))
    mlflow = _given("MLFLOW_TRACKING_URI")
    if mlflow is None:
        port = free_port(5000)
        mlflow = f"http://{HOST}:{port}"
        services.append(mlflow_service(port, folder))
    return State(pid=os.getpid(), prefect_api=api, prefect_ui=api.removesuffix("/api"), mlflow=mlflow), services


def _given(variable: str) -> str | None:
    url = os.environ.get(variable, "").rstrip("/")
    if url.startswith("http") and not answers(f"{url}/health")(Path()):
        raise ServerError(f"{variable} is {url}: no answer; unset it and up starts a server of its own")
    return url or None


def _sync_service() -> Service:
    return Service("sync", (sys.executable, "-m", "deployments.sync"), ready=lambda _log: False)


def _await_end(child: Child, halted: threading.Event) -> None:
    while child.process.poll() is None:
        if halted.wait(0.1):
            raise KeyboardInterrupt
    said = child.log.read_text(encoding="utf-8", errors="replace").strip()
    if child.process.returncode != 0:
        raise ServerError(f"{child.service.name}: {said}")
    print(said, flush=True)


def _write_state(folder: Path, state: State) -> None:
    aside = folder / "up.json.new"
    aside.write_text(state.model_dump_json(indent=2), encoding="utf-8")
    aside.replace(folder / "up.json")


def main() -> int:
    """Come up, or say that all is up already; 1 and the reason when it cannot be or is on its way."""
    parser = argparse.ArgumentParser(prog="python -m deployments.up", description="Start everything Upkeep needs.")
    parser.add_argument("--background", action="store_true", help="return when all is healthy")
    background = parser.parse_args().background
    folder = home()
    try:
        state, how = read_state(folder), f"UPKEEP_HOME={folder} {sys.executable} -m deployments.down"
        if state is not None:
            print(f"already up, nothing started\n{describe(state, folder)}\nStop with   {how}")
        elif (pid := holder(folder)) is not None:
            raise ServerError(f"{folder}: up is starting already (process {pid}); wait for it, or stop it with {how}")
        elif background:
            print(f"{describe(up_in_background(folder), folder)}\nStop with   {how}")
        else:
            up(folder)
    except UpkeepError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
