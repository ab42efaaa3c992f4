"""What chargers of one model have in common: where the next charger of that model begins.

A model is vendor, model and firmware as BootNotification names them. Only what a charger of the site file showed itself
is taught, never what it took over, nor what speaks of the one charger alone (its wiring, its clock, its vehicles), nor
anything an adopted stranger shows. Whoever begins with it still tries everything it can try without harm; its own
evidence then takes the place of what it took over.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from twin_core.models.charger import Aspect, Learned
from twin_core.models.ids import ChargerId
from twin_core.models.learned import belief, taken_over

logger = logging.getLogger(__name__)

MODELS_KEPT = 200
"""Beyond it no further models are remembered: a depot has a handful, a charger that invents names has many."""


class KnownModels:
    """What is known of each model.

    Args:
        known: what was taught before.
    """

    def __init__(self, known: Mapping[str, Learned] | None = None) -> None:
        self._known = dict(known or {})

    def of(self, model: str) -> Learned | None:
        """What is known of a model; None where nothing is."""
        return self._known.get(model)

    def teach(self, charger: ChargerId, learned: Learned) -> Learned | None:
        """Take in what a charger showed; returns what is now known of its model, None where that is no news.

        Where two chargers of a model differ, the newest evidence counts.
        """
        model, before = learned.model, self._known.get(learned.model, Learned(model=learned.model))
        shown = {
            aspect: replace(why, by=charger)
            for aspect, why in learned.evidence.items()
            if not (why.by or why.individual) and _is_news(aspect, learned, before)
        }
        if not model or not shown:
            return None
        if model not in self._known and len(self._known) >= MODELS_KEPT:
            logger.warning("model not remembered", extra={"charger": charger, "models": len(self._known)})
            return None
        self._known[model] = taken_over(before, replace(learned, evidence=shown), shown.keys())
        return self._known[model]

    def forget(self, model: str) -> bool:
        """Know nothing of a model any more; False where nothing was known."""
        return self._known.pop(model, None) is not None


def _is_news(aspect: Aspect, learned: Learned, before: Learned) -> bool:
    known = before.evidence.get(aspect)
    if known is None:
        return True
    return belief(learned, aspect) != belief(before, aspect) and learned.evidence[aspect].at > known.at
