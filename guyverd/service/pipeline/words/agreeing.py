"""Whether the catalogue is what the log of decisions says: names, people, and whose each face is that was spoken of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from guyverd.catalogue.store import Catalogue
from guyverd.model import FaceId, PersonId, Standing
from guyverd.people.decisions import replay


def disagreements(catalogue: Catalogue) -> list[str]:
    """What is otherwise than the log, replayed from its beginning, says; a sentence each."""
    said = replay(catalogue.decisions.log())
    people = catalogue.people
    names = {person: name for person, name in people.names().items() if name is not None}
    found = [
        f"person {person} is {names.get(person)!r}, but was last named {said.names.get(person)!r}"
        for person in sorted(set(said.names) | set(names))
        if said.names.get(person) != names.get(person)
    ]
    if dict(said.forwards) != people.forwards():
        found.append("people were merged otherwise than the log says")
    for person in sorted(said.hidden ^ people.hidden()):
        found.append(f"person {person} is {'not ' if person in said.hidden else ''}hidden, against the log")
    spoken = {*said.pinned, *(face for face, _ in said.barred)}
    spoken |= {face for pair in said.together | said.apart for face in pair}
    held = {face: one.person for face, one in people.holdings(spoken).items()}
    return [*found, *_of_faces(said, held)]


def _of_faces(said: Standing, held: Mapping[FaceId, PersonId | None]) -> Iterator[str]:
    for face, person in sorted(said.pinned.items()):
        if face in held and held[face] != person:
            yield f"face {face} is person {held[face]}, but person {person} by a decision"
    for face, person in sorted(said.barred):
        if held.get(face) == person:
            yield f"face {face} is person {person}, against a decision"
    for one, other in sorted(said.together):
        people = {held.get(one), held.get(other)} - {None}
        if len(people) > 1:
            yield f"faces {one} and {other} are two people, but one by a decision"
    for one, other in sorted(said.apart):
        if held.get(one) is not None and held.get(one) == held.get(other):
            yield f"faces {one} and {other} are one person, but two by a decision"
    for first, second in sorted(said.apart_people):
        if said.survivor(first) == said.survivor(second):
            yield f"persons {first} and {second} are one, but two by a decision"
