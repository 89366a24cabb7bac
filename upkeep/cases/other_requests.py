"""Are the corrected requests what a label is for, or others that were answered with it?

Where its own requests have ceased to come, as out of season, what is still answered with a label is what is none of it,
and people correct that to one thing or another. By their counts these corrections look like a policy change; a rule
would unlearn the label, and its requests may come again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SELDOM = 0.2
"""Of pairs of a corrected request and one of the label's own, the share in which the corrected is the nearer to the
label is lower: it is half where the label's own are corrected. On banking77 and a support forum it was 0.41 to 0.68 for
eight rules that are right, and on banking77 and clinc150 0.08 to 0.14 for three that are not."""


def are_others(corrected: NDArray[np.float32], own: NDArray[np.float32]) -> bool:
    """Are they others, by embeddings of length 1, shape (n, width)? No, where there are too few to tell.

    A request is as near to the label as to the most alike of the label's own, itself left out. Of all pairs the share
    in which the corrected is the nearer is Mann and Whitney's U over n m (Annals of Mathematical Statistics, 1947).
    """
    import numpy as np

    if not len(corrected) or len(own) < 2:
        return False
    among = own @ own.T
    np.fill_diagonal(among, -1.0)
    usual, near = among.max(axis=1), (corrected @ own.T).max(axis=1)
    return bool((near[:, None] > usual).mean() < SELDOM)
