"""What the append-only log of decisions adds up to: who bears which name, and who became whom.

The catalogue applies a decision in the same transaction that records it, so replaying the log from its beginning must
give what the catalogue says. `guyverd check` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from guyverd.model import Decision, DecisionId, DecisionKind, PersonId


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand after all decisions."""

    names: Mapping[PersonId, str]
    """Everyone who has a name and was not absorbed."""
    forwards: Mapping[PersonId, PersonId]
    """For everyone who was absorbed: into whom, directly. Free of cycles."""
    refused: tuple[DecisionId, ...]
    """Decisions that cannot be: a merge without a second person, of somebody absorbed before, or into oneself."""

    def survivor(self, person: PersonId) -> PersonId:
        """Who that person is today."""
        return _survivor(person, self.forwards)


def replay(decisions: Iterable[Decision]) -> Standing:
    """The state that the log implies; decisions are taken by rising id, whatever order they come in.

    A name given to somebody who was absorbed goes to the survivor, and so does a merge into them. One decision given
    twice counts once.
    """
    names: dict[PersonId, str | None] = {}
    forwards: dict[PersonId, PersonId] = {}
    refused: list[DecisionId] = []
    for decision in sorted({decision.id: decision for decision in decisions}.values(), key=lambda one: one.id):
        person = _survivor(decision.person, forwards)
        if decision.kind is DecisionKind.NAME:
            names[person] = decision.name
        elif decision.other is None or decision.other in forwards or decision.other == person:
            # Somebody absorbed has no faces left to give; the survivor giving them to itself would be a cycle.
            refused.append(decision.id)
        else:
            forwards[decision.other] = person
            names.pop(decision.other, None)
            names[person] = decision.name
    return Standing({person: name for person, name in names.items() if name is not None}, forwards, tuple(refused))


def _survivor(person: PersonId, forwards: Mapping[PersonId, PersonId]) -> PersonId:
    while person in forwards:
        person = forwards[person]
    return person
