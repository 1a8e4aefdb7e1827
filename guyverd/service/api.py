"""What can be asked of a library, whether a daemon answers over its socket or this process does the work itself.

Every method takes and returns what JSON can carry. Paths are text made by `os.fsdecode`, so a name that is not UTF-8
survives the way there and back. Lists may be iterators: read them once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

Row = dict[str, Any]

METHODS = frozenset(
    {
        "status",
        "people",
        "person",
        "faces",
        "name",
        "merge",
        "confirm",
        "reject",
        "split",
        "hide",
        "unhide",
        "same",
        "different",
        "undo",
        "redo",
        "recluster",
        "log",
        "review",
        "answer",
        "box",
        "who",
        "search",
        "together",
        "timeline",
        "follow",
        "follows",
        "unfollow",
        "folders",
        "folders_resume",
        "folders_rebuild",
        "album",
        "albums",
        "album_rename",
        "album_remove",
        "failures",
        "accept",
        "forget",
        "check",
        "scan",
        "progress",
        "journal",
    }
)


LISTS = frozenset(
    {"people", "faces", "together", "timeline", "follows", "albums", "failures", "log", "review", "journal"}
)
"""The methods that give rows one by one."""

PICTURED = frozenset({"who", "search", "follow", "box"})
"""The methods that are about a picture, which may be handed to a daemon as an open file."""

SURE = 0.9
"""The confidence from which on `search` gives every result: of a hundred that it gives at least 99 are right, but where
everybody looks alike (docs/search.md)."""


class Library(Protocol):
    """The use cases. Errors are the classes of `guyverd.errors`, on either side of the socket.

    Whatever changes what is known takes `dry`: then it is worked out whole, in the very transaction that would record
    it, and taken back. The answer has the same keys, tells what would be, and its `dry_run` is true; `decision` is the
    number that it would get. Folders are told as they are, and none is changed.
    """

    def status(self) -> Row:
        """How the library stands.

        Keys: `version`, `daemon` {`pid`, `since`, `running`}, `photos_found`, `state` (path), `people_folder`,
        `backlog` {`files`, `photos`, `videos`, `faces`}, `films` (as in `progress`: [{`file`, `photo`, `share`}]),
        `rate` (photos per second over the last minute), `eta` (seconds or null), `workers` {`count`, `running`,
        `gentle`, `memory` (the most bytes one ever held), `seconds` (of their time, in all)},
        `roots` [{`path`, `state`, `watched` ("events", "partly", "polled", "offline", "not running"),
        `folders_watched`, `folders_polled` (not watched, each with all that is in it), `detail`, `files`,
        `last_full_scan`}], `counts` {`files`, `photos`, `videos`, `faces`, `people`, `named`, `failures`}, `sizes`
        {`catalogue`, `index`} in bytes, `versions` {library: version}, `backup` {`every` (seconds, or null for never),
        `folder`, `last` {`file`, `at`, `size`} or null, `problem` (why none could be made, or null)}, `notices`
        [text]: what a person should know, such as a paused removal, `metrics` {name: number}: what was counted and
        timed since the start, by the names of `service.metrics`; a summary is {`count`, `seconds`, `longest`}, and what
        has a label one for each value of it.
        """

    def people(self, hidden: bool = False) -> Iterable[Row]:
        """Everyone with at least one photo: `id`, `name` (or null), `faces`, `photos`, `folder` (or null), `hidden`.

        Ordered by number of photos, largest first. Who is hidden is left out; with `hidden`, all others are.
        """

    def person(self, person: str) -> Row:
        """One person by number or name: the keys of `people` and `pictures`.

        Each of `pictures` is {`photo`, `files` [absolute paths], `taken_at`, `width`, `height`, `kind` ("photo" or
        "video"), `duration` (seconds, null of a photo), `moments` [[from, to]] (seconds; when the person is seen in a
        video, null of a photo)}, oldest first.
        """

    def faces(self, person: str | None = None) -> Iterable[Row]:
        """Every face, or one person's.

        Keys: `face`, `person` (id or null), `photo`, `files`, `box` [left, top, right, bottom], `confidence`,
        `quality`, `taken_at`, `manual` (drawn by hand), `start`, `end`, `at`. Of a video these are seconds: from when
        until when the person is seen, and in which frame the box is; of a photo they are null.
        """

    def name(self, person: str, name: str, dry: bool = False) -> Row:
        """Name a person. Returns {`id`, `name`, `previous` (or null), `folder`, `decision`, `dry_run`}.

        `decision` is null where that was their name already.
        """

    def merge(self, person: str, other: str, dry: bool = False) -> Row:
        """Make `other` part of `person`. Returns the keys of `people`, `absorbed`, `left_out`, `decision`, `dry_run`.

        `absorbed` is the id of `other`; `left_out` counts its faces in photos that show both, which are nobody's now.
        """

    def confirm(self, person: str, faces: Sequence[str] = (), dry: bool = False) -> Row:
        """These faces are that person, whatever is found later; without any, all that are theirs now.

        A face is its number, or the absolute path of a file of the library, as FILE or, where it shows several, FILE#N
        for the Nth from the left; whoever is seen in a video then is VIDEO@TIME, and the video alone all of it in which
        one person is. Returns one row of `log`, without `undone_by`, and `kept` and `dry_run`. Where everything was
        said already, nothing is recorded and `decision` is null. So do all that follow, down to `redo`.
        """

    def reject(self, person: str, faces: Sequence[str], dry: bool = False) -> Row:
        """These faces are not that person; those that were wait among the unknown, and are never that person again."""

    def split(self, person: str, faces: Sequence[str], name: str | None = None, dry: bool = False) -> Row:
        """These faces of that person are somebody else, a new person, `other`, of that `name` if it is given."""

    def hide(self, person: str, dry: bool = False) -> Row:
        """That person has no folder and is not listed; their faces stay theirs."""

    def unhide(self, person: str, dry: bool = False) -> Row:
        """That person has a folder again and is listed."""

    def same(self, face: str, other: str, dry: bool = False) -> Row:
        """Two faces are one person, also when both are in one photo; two people become one unless both have a name."""

    def different(self, face: str, other: str, people: bool = False, dry: bool = False) -> Row:
        """Two faces are two people; or, with `people`, two people are two and are never merged by themselves."""

    def undo(self, decision: int | None = None, dry: bool = False) -> Row:
        """Take back a decision, or your last one that counts. `kept` counts faces that could not be put back."""

    def redo(self, decision: int | None = None, dry: bool = False) -> Row:
        """Make a decision again that was undone, or the one that was undone last."""

    def recluster(self, apply: bool = False, strictness: float | None = None, stamp: str | None = None) -> Row:
        """What would change if all faces were grouped anew; with `apply`, make it so, as one decision.

        `strictness` is used instead of the config's, this once. With `stamp` only the plan that has it is applied: it
        tells one plan from another. Keys: `stamp`, `strictness`, `faces`, `people` (with a face, before), `moved`
        (how many faces would change their person), `appearing` [{`group`, `id` (null until it is applied), `faces`}],
        `vanishing` [{`id`, `faces`}], `decision` (id, or null where nothing was applied), `moves` [{`face`, `files`,
        `was` {`id`, `name`} or null, `now` likewise, `group` (of whom would appear, or null)}].
        """

    def log(self, person: str | None = None, face: str | None = None) -> Iterable[Row]:
        """All decisions, or those that concern a person or a face, oldest first.

        Keys: `decision`, `at`, `kind`, `author` ("user" or "guyverd"), `person` {`id`, `name`} or null, `other`
        likewise, `name`, `faces` [ids], `album` {`id`, `before`, `now`} or null for what is about none, `undoes` (the
        decision that an undo takes back), `subject` (what an undo is about in the end: `decision`, `kind`, `person`,
        `other`, `name`, `faces`, `album`, and `again`, which tells that it is made again; null for others), `source`
        (what was done to the people folder that it was inferred from, in words, or null), `undone_by` (id or null),
        `moved` (how many faces changed their person), `moves` [{`face`, `was`, `now`}]: the first hundred
        of them, or that of the face that was asked for. What an album was `before` and is `now` is null where it is not
        there, else {`title`, `people` [{`id`, `name`}], `since`, `until` (days, or null), `without` [photos]}.
        """

    def review(self, limit: int = 20) -> Iterable[Row]:
        """What to ask the user, at most so many questions, most worthwhile first.

        Before all others come those with a `because`: what somebody did in the people folder that is not clear, in
        words that begin with "you"; null for others. A "belong" with it asks which of the faces of a photo that was
        put into the person's folder is the person: "no" with one `but`. A "same" with it asks about two people of
        whom one was moved to the other, though something speaks against it.

        Keys: `question` (what to call it), `kind` ("who" is this person or face; are these all the "same" as the
        person; do these faces "belong" to the person; are these faces of the person and the others "one"), `person`
        {`id`, `name`, `faces` (how many)} or null, `others` [likewise] and `faces` [ids]: what is asked about, and in
        this order the parts of the question, for "who" all faces of a person who has few; `settles` (faces), `likely`
        (the chance of a yes for a part; of "who", that it is one person), `evidence` or null, `worth` (faces that a key
        is likely to settle), `shown` [{`face`, `photo`, `file`, `box`, `width`, `height`, `at`}]: faces that show the
        person, `at` being the frame of a video, in seconds, or null; `beside` [likewise]: faces of what is asked about;
        where it has several parts one for each, in their order, with null for what is not there now.
        """

    def answer(
        self,
        question: str,
        answer: str,
        but: Sequence[int] = (),
        *,
        name: str | None = None,
        person: str | None = None,
        decisions: Sequence[int] = (),
    ) -> Row:
        """Answer a question "yes" or "no", "skip" it for a month, or "hide" the person of a "who".

        `but` are the numbers, from 1, of parts to which the opposite applies: of "who", faces that are not the person,
        whatever the others are. A no to "one" says that the faces asked about are not the person, and with `but` 1,
        that they are and the person's others are not. A yes to "who" gives the `name` of somebody new, or the `person`
        that it is. Returns {`question`, `answer`, `decisions` [ids], `moved` (faces)}. "undo" takes back those
        `decisions`, or a skip.
        """

    def box(
        self,
        path: str,
        box: list[int],
        person: str | None = None,
        name: str | None = None,
        dry: bool = False,
        *,
        opened: int | None = None,
    ) -> Row:
        """Add a face that was not found, in a box [left, top, right, bottom] of a photo of the library.

        It is that person's, or somebody new's of that name, or compared with all others. Returns {`face`, `photo`,
        `box`, `quality`, `person` (id or null), `name`, `folder`, `decision`, `dry_run`}. `opened` is as in `who`.
        """

    def folders(self) -> Row:
        """How the people folder stands.

        Keys: `path`, `state` ("kept", "paused": it waits for a word, "in trouble"), `detail` (why it is not kept),
        `watched` ("events", "partly", "polled", "not running"), `layout` and `links` as configured, `folders` {`named`,
        `unnamed`, `albums`} (how many), `count` (links), `placed` (links that somebody put where they are), `own`
        (photos that somebody put there), `waiting` (of these: not read yet), `asked` (questions that `review` asks
        about the folder), `changes` [text]: what was done there and is not taken up yet, and `more_changes` (how many
        are not listed).
        """

    def folders_resume(self, accept: bool = False, dry: bool = False) -> Row:
        """Go on after too much was changed in the people folder at once: make it as it was, or `accept` what was done.

        Returns {`accepted`, `acts` [text] (what was done there), `more_acts` (how many are not listed), `dry_run`}.
        """

    def folders_rebuild(self, dry: bool = False) -> Row:
        """Look at every link and make those anew that are not as they should be; what people put there stays.

        Returns {`made`, `removed`, `renamed` (folders), `problems` [text], `dry_run`}.
        """

    def who(self, path: str, *, at: float | None = None, opened: int | None = None) -> Row:
        """Everyone in any picture, also one outside the library; of a video, in the frame `at` so many seconds.

        A daemon opens what lies in a photo folder or in the people folder; any other picture is handed to it: `opened`
        is the descriptor of that file, open for reading, and `path` only what it is called. Whoever asks through
        `RemoteLibrary` need not care.

        {`path`, `width`, `height`, `faces` [{`number`, `box`, `confidence`, `quality`, `person` {`id`, `name`} or
        null, `evidence` or null, `distance` or null, `runner_up` {`id`, `name`, `evidence`, `distance`} or null}],
        `enough`}. Evidence is by how much the face is more like one of the person's than strangers are like it;
        `enough` is what is asked of a link in this library. Distances are of unit vectors, 0 to 2, to the nearest of
        the person's faces.
        """

    def search(
        self,
        query: str,
        k: int = 20,
        face: int | None = None,
        *,
        every: bool = False,
        since: str | None = None,
        until: str | None = None,
        within: str | None = None,
        company: Sequence[str] = (),
        without: Sequence[str] = (),
        kind: str | None = None,
        least: float | None = None,
        duplicates: bool = False,
        direct: bool = False,
        at: float | None = None,
        person: bool = False,
        opened: int | None = None,
    ) -> Row:
        """The photos, and moments of videos, that show somebody: the k most sure, or `every` one that is sure enough.

        `query` is the path of a picture, or of a video of which the frame `at` so many seconds is asked about; with
        `person`, somebody's number or name. Where it shows several faces and no `face` is chosen, by its number, they
        are told and nothing is searched. `opened` is as in `who`. Of a picture that lies in the library, as it was when
        it was read, the answer is what is known.

        Only what was taken from the day `since` to the day `until`, as in `album`; lies in the folder `within`; shows
        all people of `company` beside, and none of `without` (in a video: at the same time); is of `kind` "photo" or
        "video"; and is of at least the confidence `least`, 0 to 1: of `every` one `SURE` where it is not given. With
        `direct` likeness to the face alone counts, not who it was found to be. Near-identical pictures (bursts, saved
        again, cropped) are one row, but with `duplicates` each has its own.

        Keys: `path` (null for a person), `at`, `person` {`id`, `name`} (of a person's search, else null), `width`,
        `height` (of the picture, null for a person), `faces` [as in `who`, without people], `face` (the number
        searched, or null), `through` {`id`, `name`, `confidence`} (the person it was found to be, or null), `total`
        (how many there are of at least that confidence, `SURE` where none is given, whatever k is; null where not all
        were looked at), `results`. Each of these, most sure first, is {`file`, `files`, `photo`, `kind`, `face`,
        `box`, `distance`, `evidence`, `margin`, `person` (id or null), `name`, `through`, `confidence`, `taken_at`,
        `start`, `end`, `at`, `duplicates` [{`file`, `files`, `photo`, `face`, `box`, `distance`, `evidence`,
        `confidence`, `taken_at`}]}. Distance and evidence are as in `who`, to the face asked about, or to the most
        alike of a person's other faces (null where there is none). `margin` is by how much more speaks for this than
        for the person for whom most speaks of all others, null where nobody is near. `through` tells that it was found
        as a face of that person, `confidence` how likely it is right. `start` and `end` are seconds, as is `at`, the
        frame in which the `box` is; null of a photo.
        """

    def together(
        self,
        people: Sequence[str],
        *,
        since: str | None = None,
        until: str | None = None,
        within: str | None = None,
        without: Sequence[str] = (),
        kind: str | None = None,
    ) -> Iterable[Row]:
        """The photos that show all of these people, and the moments of videos at which all are seen, oldest first.

        `people` are given as in `album`, the rest as in `search`. Keys: `file`, `files`, `photo`, `kind`, `taken_at`,
        `start`, `end` (seconds, null of a photo), `people` [{`id`, `name`, `face`}].
        """

    def timeline(self, person: str) -> Iterable[Row]:
        """How many photos and videos show somebody in each month, oldest first; months with none are left out.

        Keys: `month` ("2024-05"; null for what has no date, which is last), `photos`, `videos`.
        """

    def follow(
        self,
        query: str,
        name: str,
        folder: str,
        face: int | None = None,
        *,
        at: float | None = None,
        person: bool = False,
        copy: bool = False,
        clips: bool = False,
        past: bool = False,
        opened: int | None = None,
    ) -> Row:
        """Save a search: every photo and video of somebody that enters the library from now on is put into a folder.

        `query`, `face`, `at`, `person` and `opened` are as in `search`, but where a picture shows several faces, one
        must be chosen. `folder` is the absolute path of a folder that lies in no photo folder and not in the people
        folder; it is made where it alone is missing. What is found is linked, or is to be a `copy`; with `clips` of
        videos the moments alone are, cut out. What counts is what `search` is sure of. With `past` all that is in the
        library is put there too. Nothing that was put there is ever removed, or put there again.

        Keys: those of `follows`.
        """

    def follows(self) -> Iterable[Row]:
        """The searches that were saved, oldest first.

        Keys: `id`, `name`, `shows` (the picture or person that was asked for), `person` {`id`, `name`} (who that is, or
        null), `folder`, `form` ("link", "copy"), `clips`, `since` (when it was saved), `delivered` (files put there),
        `waiting` (files to be put there), `problem` (why nothing can be put there at present, or null).
        """

    def unfollow(self, name: str) -> Row:
        """End a saved search, told by its name or number; what was put into its folder stays. Keys: as `follows`."""

    def album(
        self,
        people: Sequence[str],
        title: str | None = None,
        since: str | None = None,
        until: str | None = None,
        dry: bool = False,
    ) -> Row:
        """Save the photos that show all of these people as an album, with a folder of its own.

        Each of `people` is a number, a name, or several of them as in "Alice & Bob". `since` and `until` are the first
        and the last day, as YYYY, YYYY-MM or YYYY-MM-DD. Without a title it is called after its people and days.
        Returns the keys of `confirm`, `photos` (how many the album shows) and `folder` (null where there is none, as
        for an album without photos). Where there is that album already, nothing is recorded.
        """

    def albums(self) -> Iterable[Row]:
        """All saved albums by title.

        Keys: `id`, `title`, `people` [{`id`, `name`}], `since`, `until` (days, or null), `photos` (how many it shows),
        `left_out` (photos), `folder` (or null).
        """

    def album_rename(self, album: str, title: str, dry: bool = False) -> Row:
        """Give an album, told by its title or number, another title. Returns the keys of `album`."""

    def album_remove(self, album: str, dry: bool = False) -> Row:
        """There is no such album any more; photos and people are not touched. Returns the keys of `album`."""

    def failures(self) -> Iterable[Row]:
        """What could not be read: `file`, `reason`, `state`, `attempts`, `at`."""

    def journal(self) -> Iterable[Row]:
        """The last lines of the daemon's log, oldest first; of the one that ended last where none runs.

        Keys: `at`, `level`, `from` (the part of the program), `message`, `template` (its fixed text) and `arguments`
        [texts and numbers]: what the message was made from; where the line is about one, `file` (a path), `root` (a
        photo folder), `photo` and `person` (ids); where something failed, `exception` {`type`, `text`, `frames`
        [{`module`, `line`, `function`}]}.
        """

    def accept(self, folder: str, dry: bool = False) -> Row:
        """What stands at the absolute path of a photo folder that is offline is that folder from now on.

        What is known from it and is not there is gone, as if it had been deleted. CannotDecide is raised for what is no
        photo folder, is not there, or is online. Returns {`path`, `detail` (why it was offline), `known` (files known
        from it), `dry_run`}.
        """

    def forget(self, apply: bool = False, stamp: str | None = None) -> Row:
        """What would be forgotten for good, for it has been gone for long; with `apply` and its `stamp`, forget it.

        Only the plan that was shown with that stamp is applied: where some of the files are there again, or other
        photos would be forgotten, CannotDecide is raised and nothing is. Nothing in a root that is offline is ever
        among it. Keys: `stamp`, `photos` (that would be forgotten), `total` (all), `replaced` (of these photos:
        contents whose file holds others now), `files` (that held them), `faces`, `spoken_of` (of these: somebody said
        whose they are, or are not), `in_grace` (photos that are gone, and not long enough yet), `folders` [{`root`,
        `folder`, `files`, `since`}]: where they were, most first, at most a hundred, `more_folders` (how many are not
        listed), `people` [{`id`, `name`, `photos`, `left`}]: everybody with a name who loses some, and how many are
        left, `nameless` (how many without a name do), `forgotten` (whether it was applied).
        """

    def check(self, repair: bool = False) -> Row:
        """Every cache against the catalogue: {`checks` [{`name`, `ok`, `detail`, `repaired`}]}."""

    def scan(self, again: bool = False, every: bool = False) -> Row:
        """Compare every root with the disk, from now on. Returns at once with `progress`.

        With `again` photos that another engine read are read anew, with `every` all photos, failed ones among them.
        Faces keep their numbers, people and decisions by their places.
        """

    def progress(self) -> Row:
        """How the current pass stands.

        {`busy`, `phase` ("scanning", "reading", "filming", "grouping", "publishing", "idle"), `files_found`,
        `photos_total`, `photos_done`, `videos_total`, `videos_done`, `films` [{`file`, `photo`, `share`}] (videos that
        are being read, and how much of each was), `faces`, `failures`, `rate`, `eta` (seconds or null), `quiet_until`
        (a time such as "07:00", or null: until then photos wait)}; the counts are of this pass.
        """
