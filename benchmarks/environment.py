"""Where does another library run? In a virtual environment of its own, beside `.upkeep`'s other state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".upkeep"
EVIDENTLY = ("evidently==0.7.23", "pandas<3", "pyarrow>=20,<27")
"""It needs an older pandas than Upkeep has."""
SETFIT = ("setfit==1.2.0", "torch==2.13.0")


def environment(needed: tuple[str, ...], folder: Path | None = None) -> Path:
    """The Python of an environment that has what is needed, the first of it above all; it is made where there is none.

    The folder is `.upkeep/` with the name of the library, if none is given.
    """
    name, _, version = needed[0].partition("==")
    folder = folder or FOLDER / name
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    asked = f"from importlib.metadata import version; print(version({name!r}))"
    has = subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=False).stdout.strip()
    if has != version:
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *needed], check=True, stdout=sys.stderr)
    return python
