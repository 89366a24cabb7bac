"""Where does Evidently run? In a virtual environment of its own: it needs an older pandas than Upkeep has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EVIDENTLY = "evidently==0.7.23"
NEEDED = (EVIDENTLY, "pandas<3", "pyarrow>=20,<27")


def environment(folder: Path) -> Path:
    """The Python of an environment that has what is needed; the environment is made where there is none."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    name, _, version = EVIDENTLY.partition("==")
    asked = f"from importlib.metadata import version; print(version({name!r}))"
    has = subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=False).stdout.strip()
    if has != version:
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *NEEDED], check=True, stdout=sys.stderr)
    return python
