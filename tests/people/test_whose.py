from __future__ import annotations

from dataclasses import replace

from guyverd.model import FaceId, PersonId, Standing
from guyverd.people.asking.whose import choices, meant
from guyverd.people.decisions import replay

ADA, BOB, NAMELESS = PersonId(1), PersonId(2), PersonId(3)
ONE, TWO, THREE = FaceId(1), FaceId(2), FaceId(3)
NOTHING = replace(replay(()), names={ADA: "Ada", BOB: "Bob"})


def barred(*faces: FaceId) -> Standing:
    return replace(NOTHING, barred=frozenset((face, ADA) for face in faces))


def test_the_only_face_is_meant_whosever_it_is() -> None:
    assert meant({ONE: None}, ADA, NOTHING) == (ONE,)
    assert meant({ONE: BOB}, ADA, NOTHING) == (ONE,)
    assert meant({ONE: BOB}, ADA, replace(NOTHING, pinned={ONE: BOB})) == ()


def test_of_several_those_of_others_with_a_name_are_out() -> None:
    assert meant({ONE: BOB, TWO: NAMELESS, THREE: None}, ADA, NOTHING) == (TWO, THREE)
    assert meant({ONE: BOB, TWO: None}, ADA, NOTHING) == (TWO,)
    assert meant({ONE: BOB, TWO: BOB}, ADA, NOTHING) == (ONE, TWO)


def test_what_was_refused_is_out_unless_it_is_said_anew() -> None:
    assert meant({ONE: None}, ADA, barred(ONE)) == ()
    assert meant({ONE: None}, ADA, barred(ONE), anew=True) == (ONE,)
    assert meant({ONE: BOB, TWO: None}, ADA, barred(TWO), anew=True) == (TWO,), "and not Bob's"


def test_a_refusal_is_not_taken_back_where_another_face_may_be_meant() -> None:
    assert meant({ONE: None, TWO: None}, ADA, barred(TWO), anew=True) == (ONE,)
    assert meant({ONE: None, TWO: None}, ADA, barred(ONE, TWO), anew=True) == ()
    assert meant({ONE: BOB}, ADA, barred(ONE), anew=True) == (), "it became another's since"


def test_the_tracks_of_a_video_that_are_one_person_are_asked_about_once() -> None:
    four = FaceId(4)
    faces = {four: None, THREE: NAMELESS, TWO: None, ONE: NAMELESS}
    assert choices((ONE, TWO, THREE, four), faces, video=True) == ((four,), (THREE, ONE), (TWO,))
    assert choices((ONE, TWO), faces, video=True) == ((TWO,), (ONE,))
    assert choices((ONE, TWO, THREE), faces, video=False) == ((THREE,), (TWO,), (ONE,)), "each face of a photo"
    assert choices((), faces, video=True) == ()
