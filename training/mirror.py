"""Whether a data set's labels bear to be mirrored: `walk` does, `turns_left` does not."""

from collections.abc import Callable

ENOUGH = 0.25
"""Of the way from chance to perfect: below it, nobody can say yet."""
AS_GOOD = 0.5
"""Of what was gained over chance must be left when the same videos are mirrored."""


def may_mirror(score: float, score_mirrored: Callable[[], float], chance: float) -> bool | None:
    """Judges by a model that never saw a mirrored video; None while it knows too little.

    Scores are mean average precisions on videos that were held out, and `chance` that of a model that guesses. Where
    left and right matter, a mirrored video gets the wrong label, and the score falls to chance or below it.
    """
    gained = score - chance
    if gained < ENOUGH * (1 - chance):
        return None
    return score_mirrored() - chance >= AS_GOOD * gained
