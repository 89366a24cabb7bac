"""Stop everything that `python -m deployments.up` has started.

python -m deployments.down
"""

from __future__ import annotations

import sys

from deployments.up import down
from upkeep.errors import UpkeepError
from upkeep.home import home


def main() -> int:
    """Stop it and say what was stopped; 1 and what is left when something does not end."""
    folder = home()
    try:
        stopped = down(folder)
    except UpkeepError as exc:
        print(exc, file=sys.stderr)
        return 1
    print(f"stopped: {', '.join(stopped)}" if stopped else f"nothing was up in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
