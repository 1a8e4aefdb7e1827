"""Which face of a photo is meant by "she is in it". Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from guyverd.model import FaceId, PersonId, Standing


def meant(
    faces: Mapping[FaceId, PersonId | None], person: PersonId, said: Standing, *, anew: bool = False
) -> tuple[FaceId, ...]:
    """The faces of a photo that may be the person, given whose each face is; one of them where it is clear.

    Faces that somebody said are others, or are not this person, are out. If several are left, those of other people
    with a name are, unless none is left then. Where it is said `anew`, as by a link that is brought back from the
    trash, it may take back that a face is not this person: the one that waits among the unknown because of that.
    """
    free = [face for face in sorted(faces) if said.pinned.get(face, person) == person]
    open_ = [face for face in free if (face, person) not in said.barred]
    refused = [face for face in free if (face, person) in said.barred and faces[face] is None]
    if anew and len(refused) == 1 and all(faces[face] is not None for face in open_):
        return tuple(refused)
    if len(open_) == 1:
        return tuple(open_)
    nobodys = [face for face in open_ if faces[face] == person or faces[face] not in said.names]
    return tuple(nobodys or open_)


def choices(
    found: Collection[FaceId], faces: Mapping[FaceId, PersonId | None], *, video: bool
) -> tuple[tuple[FaceId, ...], ...]:
    """What of `found` is asked about one by one, in the order of `faces`: each face of a photo.

    Of a video the tracks that are one person already are one choice: somebody may be seen again and again in it.
    """
    parted: dict[tuple[PersonId | None, FaceId | None], list[FaceId]] = defaultdict(list)
    for face in faces:
        if face in found:
            person = faces[face] if video else None
            parted[person, face if person is None else None].append(face)
    return tuple(tuple(one) for one in parted.values())
