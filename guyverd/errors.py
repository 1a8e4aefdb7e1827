"""The tree of errors guyverd raises on purpose.

The docstring of a class is the message the user reads, filled with the fields given to the constructor; `hint` says
what to do next; `exit_code` is what the command line returns. One family, one exit code::

    GuyverError            1
    ├── ConfigError        3   ConfigNotFound, ConfigExists
    ├── AlreadyRunning     4
    ├── PersonError        5   UnknownPerson, AmbiguousPerson, NameTaken, CannotMerge, CannotDecide, UnknownDecision
    │   ├── NoSuchQuestion 5   UnknownAlbum, TitleTaken, WhichPeople, NothingMeant
    │   ├── NoDay          5   DaysContradict
    │   └── FollowTaken    5   UnknownFollow
    ├── PictureError       6   PictureMissing, PictureUnreadable, NoFaceFound, FaceChoice, NoSuchFace, Unread, WhichFace
    │   ├── WhichTrack     6   NobodyThen, WhomToFollow, FolderElsewhere, LibraryEmpty
    │   ├── BoxRefused     6   NoFaceKnown, PictureElsewhere, FileUnreadable, NoMoment, NoTime
    │   └── VideoUnreadable 6  PastTheEnd
    ├── CatalogueError     7   CatalogueNewer, CatalogueDamaged, CatalogueCopied
    ├── StateError         8   StateExposed
    ├── PeopleFolderError  9   NotOurFolder, PeopleFolderPaused
    ├── EngineError        10  OtherModel
    ├── ControlError       11  DaemonSilent, BadRequest
    ├── ExportError        12  DeliveryStopped
    ├── CheckFailed        13
    ├── WorkerError        14  WorkerDied, WorkerNotStarted, DeadlineExceeded
    ├── EvaluationError    15  LabelsWrong, NothingLabelled, LearnMissing, NotKept
    └── BackupError        16  NoBackup, NotABackup, BackupDamaged, BackupNewer, BackupStopped

2 is left to wrong usage of the command line, 130 to Ctrl-C.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping


class GuyverError(Exception):
    """Something went wrong: {detail}."""

    exit_code = 1
    hint = ""

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The class's docstring with the fields filled in; one line."""
        template = inspect.getdoc(type(self)) or type(self).__name__
        text = " ".join(template.format(**_shown(self.fields)).splitlines())
        # A detail may bring its own full stop.
        return re.sub(r"(?<=[.!?…])\.$", "", text)

    @property
    def advice(self) -> str:
        """The hint with the fields filled in; empty where there is none."""
        return " ".join(self.hint.format(**_shown(self.fields)).splitlines())

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.fields))

    def to_wire(self) -> dict[str, object]:
        """What the control API sends: the class by name and its fields as text."""
        return {"type": type(self).__name__, "fields": _shown(self.fields)}

    @staticmethod
    def from_wire(wire: Mapping[str, object]) -> GuyverError:
        """The error `to_wire` described; a plain GuyverError where the class is not known here."""
        fields = wire.get("fields")
        fields = {str(key): value for key, value in fields.items()} if isinstance(fields, dict) else {}
        for cls in _family(GuyverError):
            if cls.__name__ == wire.get("type"):
                try:
                    error = cls(**fields)
                    _ = error.advice
                except (LookupError, TypeError):
                    break  # another version's fields
                return error
        told = ", ".join(f"{key} {value}" for key, value in fields.items())
        return GuyverError(detail=f"{wire.get('type', 'the daemon failed')}{told and ': '}{told}")


def _shown(fields: Mapping[str, object]) -> dict[str, str]:
    """The fields as text that can be printed: paths are bytes, and may hold what is no UTF-8."""
    return {
        key: (value if isinstance(value, bytes) else str(value).encode("utf-8", "backslashreplace")).decode(
            "utf-8", "backslashreplace"
        )
        for key, value in fields.items()
    }


def _rebuild(cls: type[GuyverError], fields: dict[str, object]) -> GuyverError:
    return cls(**fields)


def _family(cls: type[GuyverError]) -> Iterator[type[GuyverError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _family(child)


class ConfigError(GuyverError):
    """{where}: {detail}."""

    exit_code = 3
    hint = "{hint}"

    def __init__(self, *, where: str, detail: str, hint: str = "config.example.yaml explains every key.") -> None:
        super().__init__(where=where, detail=detail, hint=hint)


class ConfigNotFound(GuyverError):
    """There is no config at {path}."""

    exit_code = 3
    hint = "Write one with `guyverd init --photos DIR --people DIR`, or name yours with --config FILE."


class ConfigExists(GuyverError):
    """{path} exists already and was left as it is."""

    exit_code = 3
    hint = "Edit it, or write another with `guyverd --config OTHER init …`."


class AlreadyRunning(GuyverError):
    """Another guyverd (process {pid}) owns {state}."""

    exit_code = 4
    hint = "Wait until it is done, or stop it. While the daemon runs (`guyverd run`), commands ask it and never wait."


class PersonError(GuyverError):
    """{detail}."""

    exit_code = 5


class UnknownPerson(PersonError):
    """No person is numbered or named {person}."""

    hint = "`guyverd people` lists everyone."


class NothingMeant(UnknownPerson):
    """There is no file {person}, and no person of that number or name."""

    hint = "Name a picture, a moment of a video as VIDEO@TIME, or somebody whom `guyverd people` lists."


class AmbiguousPerson(PersonError):
    """{person} is the name of several people: {ids}."""

    hint = "Give the number instead of the name."


class NameTaken(PersonError):
    """{name} is already the name of person {person}."""

    hint = "If they are the same, `guyverd merge {person} {other}` makes them one."


class CannotMerge(PersonError):
    """{first} and {second} cannot be made one: {detail}."""

    hint = "{hint}"


class CannotDecide(PersonError):
    """That cannot be: {detail}."""

    hint = "{hint}"


class UnknownDecision(PersonError):
    """There is no decision {decision}."""

    hint = "`guyverd log` lists them."


class NoSuchQuestion(PersonError):
    """There is no question {question} now."""

    hint = "It may be answered, or no longer make sense; `guyverd review --json` lists them."


class UnknownAlbum(PersonError):
    """No album is called or numbered {album}."""

    hint = "`guyverd albums` lists them."


class TitleTaken(PersonError):
    """There is an album {title} already."""

    hint = "Give this one another title, or that one: `guyverd album TITLE --rename OTHER`."


class WhichPeople(PersonError):
    """{people} can be read in several ways: {ways}."""

    hint = "Give each person as a word of their own, and by number whoever has an & in their name."


class NoDay(PersonError):
    """{day} is no day."""

    hint = "Write YYYY, YYYY-MM or YYYY-MM-DD."


class DaysContradict(PersonError):
    """No day is both since {since} and until {until}."""

    hint = "The first day comes before the last: --since 2023 --until 2024-05-31."


class FollowTaken(PersonError):
    """There is a saved search {follow} already."""

    hint = "Give this one another name with --as, or end that one: `guyverd unfollow NAME`."


class UnknownFollow(PersonError):
    """No saved search is called or numbered {follow}."""

    hint = "`guyverd follows` lists them."


class PictureError(GuyverError):
    """{path}: {detail}."""

    exit_code = 6


class PictureMissing(PictureError):
    """There is no file {path}."""

    hint = "Check the path; a folder cannot be asked about, only a picture."


class PictureUnreadable(PictureError):
    """{path} could not be read as a picture: {detail}."""

    hint = "guyverd reads JPEG, PNG, WebP, HEIC, HEIF, AVIF, TIFF, BMP and GIF."


class VideoUnreadable(PictureUnreadable):
    """{path} could not be read as a video: {detail}."""

    hint = "guyverd reads MP4, MOV, MKV, WebM, AVI, MTS and 3GP."


class PastTheEnd(VideoUnreadable):
    """{path} shows nothing at {time}: it ends at {end}."""

    hint = "Name an earlier moment, such as {path}@0:01."


class PictureElsewhere(PictureError):
    """{path} lies neither in a photo folder nor in the people folder."""

    hint = "The daemon opens nothing else by its path; `guyverd who` and `search` open any picture and hand it over."


class NoMoment(PictureError):
    """{path} is a video."""

    hint = "Say which moment is meant: {path}@1:23 is the frame after 1 minute and 23 seconds."


class NoTime(PictureError):
    """{time} is no time in a video."""

    hint = "Write seconds, minutes and seconds, or hours as well: {path}@83.5, {path}@1:23 or {path}@0:01:23."


class FileUnreadable(PictureUnreadable):
    """{path} could not be read: {detail}."""

    hint = "Whatever it holds is not lost: it is tried again at each full comparison."


class NoFaceFound(PictureError):
    """No face was found in {path}."""

    hint = "Faces narrower than {smallest} of its longer side are hardly ever found: try a picture that is cut closer."


class NoFaceKnown(PictureError):
    """No face is known in {path}."""

    hint = "`guyverd box` adds one by hand; `guyverd failures` lists what could not be read."


class WhomToFollow(PictureError):
    """{path} shows {count} faces."""

    hint = "Choose one with --face N; `guyverd who` shows them numbered, left to right."


class FaceChoice(PictureError):
    """{path} has {count} faces, so face {face} does not exist."""

    hint = "Faces are numbered from 1 to {count}, left to right; those of a whole video by when they are first seen."


class NoSuchFace(PictureError):
    """No face is numbered {face}."""

    hint = "`guyverd faces` lists them all; a picture of the library can be named instead: FILE, or FILE#2."


class Unread(PictureError):
    """{path} is no picture that guyverd has read."""

    hint = "Name a picture in a photo folder, or a link to one; `guyverd failures` lists what could not be read."


class WhichFace(PictureError):
    """{path} shows {count} faces."""

    hint = "Name one as {path}#1 to {path}#{count}, from left to right; `guyverd who` shows them."


class WhichTrack(PictureError):
    """{path} shows {count} faces, one after another or together."""

    hint = "Name a moment, such as {path}@{time}, or one of {path}#1 to {path}#{count}, by when they are first seen."


class NobodyThen(PictureError):
    """Nobody is known in {path} at {time}."""

    hint = "Nearest to that is {path}@{near}; `guyverd faces` lists them all."


class FolderElsewhere(PictureError):
    """{path} is no folder of the library, nor one that holds any of it."""

    hint = "`guyverd status` lists the photo folders."


class LibraryEmpty(PictureError):
    """There is no face in the library yet: nothing can be found."""

    hint = "`guyverd scan` reads the photo folders, and `guyverd status` tells how far that is."


class BoxRefused(PictureError):
    """No face was put into {path}: {detail}."""

    hint = "A box is LEFT TOP RIGHT BOTTOM in pixels of the upright picture; `guyverd who` shows those of its faces."


class CatalogueError(GuyverError):
    """The catalogue {path} cannot be used: {detail}."""

    exit_code = 7
    hint = "Nothing was changed. `guyverd check` tells more."


class CatalogueNewer(CatalogueError):
    """The catalogue {path} was written by a newer guyverd (step {step} is unknown here)."""

    hint = "Install that version or a later one; this one will not touch it."


class CatalogueDamaged(CatalogueError):
    """The catalogue {path} is damaged: {detail}."""

    hint = "{cure}"

    def __init__(
        self,
        *,
        path: str,
        detail: str,
        cure: str = "Stop guyverd; `guyverd check --repair` puts back the newest backup that is sound, and keeps the"
        " damaged file.",
    ) -> None:
        super().__init__(path=path, detail=detail, cure=cure)


class CatalogueCopied(CatalogueDamaged):
    """The catalogue {path} was copied while guyverd had it open, or after it was killed: {detail}."""

    def __init__(
        self,
        *,
        path: str,
        detail: str,
        cure: str = "Stop guyverd and copy the whole state folder again, or restore a backup. `guyverd check --repair`"
        " takes the copy as it is where it is sound; what was said last may be missing in it.",
    ) -> None:
        super().__init__(path=path, detail=detail, cure=cure)


class StateError(GuyverError):
    """{path} cannot be used: {detail}."""

    exit_code = 8
    hint = "Free some space or mend the permissions, then start again; nothing was lost."


class StateExposed(StateError):
    """{path} is not yours alone: {detail}."""

    hint = (
        "What guyverd knows of people is safe only where nobody else can write: `{cure}`, once you know that nobody"
        " changed it. On a disk without permissions, such as a USB stick, name another folder as `state`."
    )


class PeopleFolderError(GuyverError):
    """The people folder {path} cannot be kept: {detail}."""

    exit_code = 9
    hint = "{hint}"


class PeopleFolderPaused(PeopleFolderError):
    """The people folder {path} is left as it is: {detail}."""

    hint = (
        "`guyverd folders resume` makes it anew as it was; `guyverd folders resume --accept` takes what was done there"
        " as your word."
    )


class NotOurFolder(PeopleFolderError):
    """{path} holds other things and no guyverd marker, so nothing was put there."""

    hint = "Name an empty or new folder as `people` in the config."


class EngineError(GuyverError):
    """The face models cannot be used: {detail}."""

    exit_code = 10
    hint = "Run `make setup` again, or `pip install --force-reinstall face_recognition_models`."


class OtherModel(EngineError):
    """The library was read with another face model than this, so nothing can be compared with it."""

    hint = "`guyverd scan --again` reads it anew; people, names and decisions stay."


class ControlError(GuyverError):
    """The daemon could not do it: {detail}."""

    exit_code = 11
    hint = "Its log tells more; `guyverd status` shows how it is."


class DaemonSilent(ControlError):
    """The daemon (process {pid}) holds the library but does not answer."""

    hint = "It may be starting or stopping: try again in a moment."


class BadRequest(ControlError):
    """The daemon did not understand the request: {detail}."""

    hint = "The command and the daemon may be of different versions: restart the daemon."


class ExportError(GuyverError):
    """{path}: {detail}."""

    exit_code = 12
    hint = "Nothing was overwritten; name another folder or free some space."


class DeliveryStopped(ExportError):
    """Nothing is put into {path}: {detail}."""

    hint = "{hint}"


class CheckFailed(GuyverError):
    """{count} of {total} checks failed."""

    exit_code = 13
    hint = "`guyverd check --repair` rebuilds everything that can be rebuilt from the catalogue."


class WorkerError(GuyverError):
    """A picture could not be read: {detail}."""

    exit_code = 14
    hint = "Open it in another program: it may be broken. The library is unharmed."


class WorkerDied(WorkerError):
    """The worker process died: {detail}."""


class WorkerNotStarted(WorkerError):
    """No worker process can be started: {detail}."""

    hint = "It is tried again by itself. The usual reasons: too little memory, or an update that is under way."


class DeadlineExceeded(WorkerError):
    """It took longer than {seconds} seconds and was stopped."""


class EvaluationError(GuyverError):
    """It cannot be told how good the grouping is: {detail}."""

    exit_code = 15


class LabelsWrong(EvaluationError):
    """{where}: {detail}."""

    hint = "Labels are a CSV file with the columns file, left, top, right, bottom and name; `docs/cli.md` tells more."


class NothingLabelled(EvaluationError):
    """No labelled face was found in {path}."""

    hint = (
        "It must hold a folder of photos for each person, named after them; or give a CSV with --labels, whose boxes"
        " lie around faces, in pixels of the upright picture."
    )


class LearnMissing(EvaluationError):
    """scikit-learn is not installed, and it has most of the measures."""

    hint = "Install it with: {python} -m pip install 'scikit-learn>=1.5'"


class NotKept(EvaluationError):
    """{path} holds other things and is not what an evaluation kept, so nothing was put there."""

    hint = "Name a new or empty folder with --keep."


class BackupError(GuyverError):
    """{path}: {detail}."""

    exit_code = 16
    hint = "The catalogue is as it was. Name another place, or free some space."


class NoBackup(BackupError):
    """There is no backup {path}."""

    hint = "`guyverd backup` makes one; `guyverd restore` without a FILE names those there are."


class NotABackup(BackupError):
    """{path} is no backup of guyverd: {detail}."""

    hint = "It was left as it is."


class BackupDamaged(BackupError):
    """The backup {path} is damaged: {detail}."""

    hint = "Nothing was changed. Try an older one; `guyverd restore` without a FILE names those there are."


class BackupNewer(BackupError):
    """The backup {path} was made by guyverd {version}, which is newer (step {step} is unknown here)."""

    hint = "Install that version or a later one. Nothing was changed."


class BackupStopped(BackupError):
    """The backup {path} was not finished: guyverd is stopping."""

    hint = "It is made again when guyverd runs."
