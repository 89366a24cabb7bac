"""How is a server started, known to be healthy, and stopped with nothing left behind?

with serving(prefect_service(free_port(4200)), folder, env) as child: ...
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deployments.schema import ROOT
from upkeep.errors import ServerError
from upkeep.home import POLITE, QUIET, configs

HOST = "127.0.0.1"
MARK = "UPKEEP_UP"
"""Environment variable of everything we start: `service@home`. Flow runs leave the worker's process group and outlive a
killed worker, so neither groups nor parents find them all; an inherited variable does."""

HEALTH_SECONDS = 90.0
FINISH_SECONDS = 10.0
"""How long processes may take to end after they were asked, before they are asked harder."""


@dataclass(frozen=True, slots=True)
class Service:
    """What to start and how to tell that it is ready."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[Path], bool] = field(repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    before: tuple[str, ...] = ()
    """A command that must have succeeded first."""
    port: int | None = None
    """Where it listens itself: another's server may have been quicker there, and answer."""


@dataclass(frozen=True, slots=True)
class Child:
    """A started service and its log."""

    service: Service
    process: subprocess.Popen[bytes]
    log: Path


def prefect_service(port: int) -> Service:
    """A Prefect server with its scheduler; SQLite under PREFECT_HOME unless the environment names a database."""
    command = (sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port))
    return Service("prefect", command, ready=answers(f"http://{HOST}:{port}/api/health"), port=port)


def mlflow_service(port: int, folder: Path) -> Service:
    """An MLflow server: SQLite and artifacts under `folder`, unless MLFLOW_BACKEND_STORE_URI names a database.

    Our own database may be an older MLflow's and is upgraded first; one that was given is its owner's to upgrade.
    """
    python = (sys.executable, "-m", "mlflow")
    database = folder / "mlflow.db"
    own = f"sqlite:///{database}"
    store = os.environ.get("MLFLOW_BACKEND_STORE_URI", own)
    return Service(
        "mlflow",
        (*python, "server", "--host", HOST, "--port", str(port), "--workers", "1"),
        ready=answers(f"http://{HOST}:{port}/health"),
        # by environment, because a command line shows a database's password to everybody on the machine
        env={
            "MLFLOW_BACKEND_STORE_URI": store,
            "MLFLOW_ARTIFACTS_DESTINATION": os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", str(folder / "mlartifacts")),
        },
        before=(*python, "db", "upgrade", own) if store == own and database.exists() else (),
        port=port,
    )


def worker_service(pool: str) -> Service:
    """A worker that runs the pool's flow runs as processes."""
    name = f"upkeep on {socket.gethostname()}"
    command = (sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process", "--name", name)
    return Service("worker", command, ready=says("started!"))


def environment(folder: Path, *, prefect_api: str, mlflow_uri: str) -> dict[str, str]:
    """The environment of servers, worker and flow runs: where everything is, and no telemetry.

    Raises ConfigError when there are no configs.
    """
    path = os.environ.get("PYTHONPATH")
    return {
        **POLITE,
        **os.environ,
        **QUIET,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{path}" if path else str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "UPKEEP_HOME": str(folder),
        "UPKEEP_CONFIGS": str(configs()),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": prefect_api,
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "MLFLOW_TRACKING_URI": mlflow_uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def free_port(preferred: int) -> int:
    """The preferred loopback port when nothing listens on it, else any free one."""
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServerError(f"{HOST}: no free port")


@contextmanager
def serving(service: Service, folder: Path, env: Mapping[str, str]) -> Iterator[Child]:
    """A healthy service for the time of the block. Raises ServerError when it does not come up or does not end."""
    with running(service, folder, env) as child:
        await_ready(child)
        yield child


@contextmanager
def running(service: Service, folder: Path, env: Mapping[str, str]) -> Iterator[Child]:
    """A service for the time of the block, not awaited: several may come up at once."""
    child = _start(service, folder, env)
    try:
        yield child
    finally:
        stop(service.name, folder, child.process)


def await_ready(child: Child, *, halted: threading.Event | None = None) -> None:
    """Wait for the service. Raises ServerError naming its log, and KeyboardInterrupt once `halted` is set."""
    halted = halted or threading.Event()
    deadline = time.monotonic() + HEALTH_SECONDS
    while not (child.service.ready(child.log) and _listens(child)):
        check_alive(child)
        if time.monotonic() > deadline:
            late = f"not ready after {HEALTH_SECONDS:.0f} s"
            raise ServerError(f"{child.service.name}: {late}; its log {_tail(child.log)}")
        if halted.wait(0.1):
            raise KeyboardInterrupt


def check_alive(child: Child) -> None:
    """Raise ServerError naming the log when the service has ended by itself."""
    service, code = child.service, child.process.poll()
    if code is not None:
        taken = f", something else answers at port {service.port}: start again" if service.port else ""
        why = taken if service.ready(child.log) else ""
        raise ServerError(f"{service.name}: ended by itself with {code}{why}; its log {_tail(child.log)}")


def stop(name: str, folder: Path, leader: subprocess.Popen[bytes] | None = None) -> None:
    """End a service and everything it started. Raises ServerError naming what is left.

    What it started is asked first: a worker that is asked kills its flow runs, and they stay Running until they are
    missed (deployments/lost_runs.py), while a flow run that is asked becomes Crashed as long as worker and server are
    there to hear of it.
    """
    first = leader.pid if leader is not None else -1
    _ask(signal.SIGTERM, lambda: [one for one in started(name, folder) if one.pid != first])
    left = _ask(signal.SIGTERM, lambda: _living(name, folder, leader))
    left = left and _ask(signal.SIGKILL, lambda: _living(name, folder, leader))
    if left:
        raise ServerError(f"{name}: processes {[one.pid for one in left]} are still there after SIGKILL")


def started(name: str, folder: Path) -> list[psutil.Process]:
    """Every living process of a service, flow runs included, whoever its parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == f"{name}@{folder}":
                found.append(process)
        except psutil.Error:  # gone, a zombie, or somebody else's
            continue
    return found


def answers(url: str) -> Callable[[Path], bool]:
    """Ready when a GET of the URL gives 200; a proxy of the environment is not asked about loopback addresses."""
    proxies: dict[str, str] | None = {} if HOST in url else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))

    def ready(_log: Path) -> bool:
        try:
            with opener.open(url, timeout=2) as response:
                return bool(response.status == 200)
        except OSError:  # refused, reset or too slow
            return False

    return ready


def says(text: str) -> Callable[[Path], bool]:
    """Ready when the log has the text."""
    return lambda log: text in log.read_text(encoding="utf-8", errors="replace")


def _start(service: Service, folder: Path, env: Mapping[str, str]) -> Child:
    log = folder / "logs" / f"{service.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
    whole = {**env, **service.env, MARK: f"{service.name}@{folder}"}
    with log.open("wb") as out:
        if service.before:
            done = subprocess.run(service.before, env=whole, cwd=log.parent, stdout=out, stderr=out, check=False)
            if done.returncode != 0:
                raise ServerError(f"{service.name}: {' '.join(service.before[1:])} failed; its log {_tail(log)}")
        process = subprocess.Popen(
            service.command,
            env=whole,
            cwd=log.parent,  # python -m looks here first, and the home has a folder named prefect
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C in the terminal is for `up` alone
        )
    return Child(service, process, log)


def _listens(child: Child) -> bool:
    """Does the service, or what it has started, listen on its port itself?"""
    if child.service.port is None:
        return True
    try:
        leader = psutil.Process(child.process.pid)
        sockets = [one for ours in (leader, *leader.children(recursive=True)) for one in ours.net_connections("tcp")]
    except psutil.Error:  # one has ended
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == child.service.port for one in sockets)


def _ask(signum: signal.Signals, find: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    """Signal each process once, also those that appear meanwhile, and wait; those that are left in the end."""
    asked: set[int] = set()
    deadline = time.monotonic() + FINISH_SECONDS
    while (found := find()) and time.monotonic() < deadline:
        for process in found:
            if process.pid not in asked:
                asked.add(process.pid)
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signum)
        time.sleep(0.1)
    return found


def _living(name: str, folder: Path, leader: subprocess.Popen[bytes] | None) -> list[psutil.Process]:
    if leader is not None:
        leader.poll()  # reaps it
    return started(name, folder)


def _tail(log: Path, lines: int = 15) -> str:
    text = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([f"{log} ends with:", *text[-lines:]])
