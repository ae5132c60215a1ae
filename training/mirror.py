"""Whether a data set's labels bear to be mirrored: `walk` does, `turns_left` does not."""

from collections.abc import Callable, Mapping

KNOWN = 0.4
"""Of the way from chance to perfect: a label that a model finds so well is known."""
AS_GOOD = 0.4
"""Of what the known labels gained over chance, so much must be left when the same videos are mirrored."""


def may_mirror(
    scores: Mapping[str, float], mirrored_scores: Callable[[], Mapping[str, float]], chances: Mapping[str, float]
) -> bool:
    """Judges by a model that never saw a mirrored video; False while it knows fewer than half of the labels.

    Scores are average precisions on videos that were held out, chances those of a model that guesses. Where left and
    right matter a mirrored video is taken for the other label, and its score falls to chance or below: one such label
    is enough to forbid it, and the better the model becomes, the surer it is.
    """
    gains = {label: score - chances[label] for label, score in scores.items()}
    known = [label for label, gain in gains.items() if gain >= KNOWN * (1 - chances[label])]
    if 2 * len(known) < len(scores) or not known:
        return False
    mirrored = mirrored_scores()
    left = {label: mirrored[label] - chances[label] for label in known}
    return min(left.values()) > 0 and sum(left.values()) >= AS_GOOD * sum(gains[label] for label in known)
