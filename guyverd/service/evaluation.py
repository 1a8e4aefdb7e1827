"""How good is it, on labelled photos? The questions; `pipeline.evaluation` answers them.

They need no library of the user's and no daemon: each works in a state of its own.
"""

from __future__ import annotations

from guyverd.service.api import Row
from guyverd.service.tasks import RULES, Audience, Extras, Task

__all__ = ["RULES", "Audience", "Extras", "Task", "evaluate", "tune"]


def evaluate(task: Task, extras: Extras, audience: Audience) -> Row:
    """Run the pipeline on labelled photos and score what it makes.

    Keys: `folder`, `photos`, `faces`, `labelled` (faces that were found), `people`, `not_found` (labelled faces that
    were not), `unreadable` (labelled files), `contradicting` (photos that are there under several names), `seconds`,
    `scores`, `retrieval`, `search`, `films`, `review`, `stability`, `methods`, `page` (its path); from `search` on each
    is null where it was not asked for.

    `scores` and each of `methods`: `method`, `clusters`, `surplus`, `unattached`, `pairwise` and `bcubed` {`precision`,
    `recall`, `f`}, `misplaced`, `collisions`, `ari`, `ami`, `homogeneity`, `completeness`, `v_measure`,
    `fowlkes_mallows`, `silhouette`; of `methods` also `settings`, `seconds`. `retrieval`: `queries`, `answered`,
    `sensitivity`, `precision`, `hit_rate`, `pooled_sensitivity`, `pooled_precision`.

    `search`: `sure` (the confidence from which on it returns everything), `inside` and `outside` (as `retrieval`),
    `calibration` {`answers`, `brier`, `error`, `level`, `bins` [{`low`, `high`, `count`, `queries`, `said`, `right`,
    `off`}]}. `films`: `films`, `unread`, `length` and `seconds` (of the films, and to read them), `shown` (photos in
    them), `photos` (beside them), `queries`, `absent`, `moments`, `answered`, `precision`, `recall`, `time_precision`,
    `time_recall`, `edge` {`median`, `most`} (seconds, or null).

    `review`: `answers`, `reached`, `share`, `baseline`, `baseline_share`, `least`. `stability`: `added` [{`photos`,
    `times`, `faces`, `moved`, `company`, `settled`, `named`, `named_affected`}], `orders` {`bcubed_f`, `agreement`,
    `mean_agreement`}, `arrivals` [{`how`, `bcubed_f`, `agreement`}].

    Raises EvaluationError, and what a scan raises.
    """
    from guyverd.service.pipeline.evaluation.evaluating import evaluate as evaluated  # noqa: PLC0415  it loads everything

    return evaluated(task, extras, audience)


def tune(task: Task, audience: Audience) -> Row:
    """Search for settings that group labelled photos best.

    Keys: `folder`, `labelled`, `people`, `tried`, `default`, `best` ({setting: value}), `default_score`, `best_score`
    (BCubed F), `gain` and `error` (expected on other people, with its standard error), `folds`, `worthwhile` and
    `yaml`: what to paste, empty where the default is as good. Raises as `evaluate` does.
    """
    from guyverd.service.pipeline.evaluation.tuning import search  # noqa: PLC0415

    return search(task, audience)
