"""A work dir on two machines: sent, worked in, brought back; by real git, in two folders."""

import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from perles.workspace import changes, commits, merging
from perles.workspace.git import GitError
from perles.workspace.replica import extras, sync
from perles.workspace.replica.far import FarFolders, Order, Place, Published
from perles.workspace.replica.parcels import MAX_PIECE, Parcel, Parcels
from perles.workspace.replica.snapshot import ReplicaError
from perles.workspace.replica.sync import Returned, Shared

WORKFLOW: Final = "wf-abc"
WHO: Final = {
    **{f"GIT_{role}_NAME": "Ada" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "ada@example.org" for role in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


class Cut(Exception):
    """The line was cut."""


class Line:
    """Asks the node as over a wire. The answer to call number `cut` is lost, and what follows."""

    def __init__(self, node: FarFolders, cut: int | None = None) -> None:
        self.node, self.cut = node, cut
        self.calls = 0
        self.sent = 0

    def _counted(self) -> None:
        self.calls += 1
        if self.cut is not None and self.calls >= self.cut:
            raise Cut

    async def have(self, repository: str) -> list[str]:
        found = self.node.have(repository)
        self._counted()
        return found

    async def put(self, parcel: Parcel, offset: int, piece: bytes) -> int:
        assert len(piece) <= MAX_PIECE
        self.sent += len(piece)
        found = self.node.parcels.put(parcel, offset, piece)
        self._counted()
        return found

    async def refresh(self, order: Order) -> Place:
        found = self.node.refresh(order)
        self._counted()
        return found

    async def publish(
        self, workflow_id: str, task: str, turn_id: int, have: Sequence[str]
    ) -> Published:
        found = self.node.publish(workflow_id, task, turn_id, have)
        self._counted()
        return found

    async def gather(self, workflow_id: str, patterns: Sequence[str], most: int) -> Parcel | None:
        found = self.node.gather(workflow_id, patterns, most)
        self._counted()
        return found

    async def take(self, name: str, offset: int) -> bytes:
        found = self.node.parcels.take(name, offset)
        self.sent += len(found)
        self._counted()
        return found

    async def drop(self, name: str) -> None:
        self.node.parcels.drop(name)
        self._counted()


class Two(NamedTuple):
    """The user's folder, the node, and what the engine has of bundles."""

    here: Path
    node: FarFolders
    parcels: Parcels
    name: str = "box1"

    @property
    def there(self) -> Path:
        """The folder on the node."""
        return self.node.work_dir(WORKFLOW)

    @property
    def shared(self) -> Shared:
        return Shared(self.here, WORKFLOW, self.name)

    async def send(self, line: Line | None = None) -> Place:
        return await sync.send(self.shared, line or Line(self.node), self.parcels)

    async def bring(
        self, turn: int = 1, line: Line | None = None, *, counts: bool = True
    ) -> Returned:
        far = line or Line(self.node)
        how = {"task": "a", "turn_id": turn, "counts": counts}
        return await sync.bring(self.shared, far, self.parcels, **how)  # type: ignore[arg-type]


def git(folder: Path, *args: str) -> str:
    """What git prints."""
    environ = {**os.environ, **WHO}
    ended = subprocess.run(
        ["git", *args], cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    return ended.stdout.strip()


def _shell(folder: Path, line: str) -> None:
    subprocess.run(["sh", "-c", line], cwd=folder, env={**os.environ, **WHO}, check=True)


@pytest.fixture
def two(tmp_path: Path) -> Two:
    here = tmp_path / "here"
    here.mkdir()
    git(here, "init", "-q", "-b", "main")
    (here / ".gitignore").write_text("*.o\n")
    (here / "a.txt").write_text("one\ntwo\nthree\n")
    (here / "run.sh").write_text("#!/bin/sh\n")
    (here / "run.sh").chmod(0o755)
    git(here, "add", ".")
    git(here, "commit", "-qm", "first")
    return Two(here, FarFolders(tmp_path / "node"), Parcels(tmp_path / "parcels"))


def content(folder: Path) -> dict[str, bytes]:
    """All files but git's."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


async def test_a_folder_is_on_the_node_as_it_is_here(two: Two) -> None:
    (two.here / "a.txt").write_text("changed\n")
    (two.here / "new file ä.txt").write_text("new\n")
    (two.here / "sub").mkdir()
    (two.here / "sub/link").symlink_to("../a.txt")
    (two.here / "x.o").write_text("ignored")
    before = git(two.here, "status", "--porcelain")

    place = await two.send()

    assert place == Place(str(two.there))
    assert content(two.there) == {k: v for k, v in content(two.here).items() if k != "x.o"}
    assert (two.there / "sub/link").readlink() == Path("../a.txt")
    assert os.access(two.there / "run.sh", os.X_OK)
    assert git(two.there, "status", "--porcelain") == before
    assert git(two.there, "log", "--format=%H %D") == git(two.here, "log", "--format=%H %D")
    assert git(two.here, "status", "--porcelain") == before


async def test_what_a_turn_left_is_here_as_if_it_had_worked_here(two: Two) -> None:
    await two.send()
    (two.there / "b.txt").write_text("b\n")
    git(two.there, "add", "b.txt")
    git(two.there, "commit", "-qm", "second")
    (two.there / "a.txt").write_text("uncommitted\n")
    (two.there / "c.txt").write_text("untracked\n")
    (two.there / "z.o").write_text("ignored")

    returned = await two.bring()

    assert returned.ref == f"refs/perles/{WORKFLOW}/a/1"
    assert not returned.conflicts
    assert content(two.here) == {k: v for k, v in content(two.there).items() if k != "z.o"}
    assert git(two.here, "log", "--format=%s %D").splitlines()[0] == "second HEAD -> main"
    assert git(two.here, "status", "--porcelain") == "M a.txt\n?? c.txt"
    assert git(two.here, "show", f"{returned.ref}:c.txt") == "untracked"
    look = commits.look(two.here, git(two.here, "rev-parse", "main~1"), status=True)
    assert look is not None
    assert [commit.subject for commit in look.commits] == ["second"]
    assert look.dirty
    view = changes.View(two.here, git(two.here, "rev-parse", "main~1"), returned.ref)
    assert [file.path for file in changes.files(view)] == ["a.txt", "b.txt", "c.txt"]
    git(two.here, "fsck", "--strict")


async def test_only_what_is_missing_goes_over_the_line(two: Two) -> None:
    (two.here / "big").write_bytes(os.urandom(3 * MAX_PIECE))
    git(two.here, "add", ".")
    git(two.here, "commit", "-qm", "big")
    first = Line(two.node)
    await two.send(first)
    (two.there / "small").write_text("small")
    back = Line(two.node)
    await two.bring(1, back)
    (two.here / "more").write_text("more")
    again, unchanged = Line(two.node), Line(two.node)
    await two.send(again)
    await two.send(unchanged)
    other = Line(two.node)
    shared = two.shared._replace(workflow_id="wf-other")
    await sync.send(shared, other, two.parcels)

    assert first.sent > 3 * MAX_PIECE
    assert back.sent < 10_000
    assert 0 < again.sent < 10_000
    assert unchanged.sent == 0
    assert other.sent == 0
    assert content(two.there) == content(two.node.work_dir("wf-other"))


async def test_two_nodes_work_on_one_branch(two: Two, tmp_path: Path) -> None:
    other = Two(two.here, FarFolders(tmp_path / "node2"), two.parcels, "box2")
    for number, one in enumerate((two, other)):
        await one.send()
        (one.there / f"of-{number}").write_text("x")
        git(one.there, "add", ".")
        git(one.there, "commit", "-qm", f"of {number}")
        (one.there / f"left-{number}").write_text("x")
    (two.here / "mine").write_text("of the user")

    assert not (await two.bring(1)).conflicts
    assert not (await other.bring(2)).conflicts

    assert {"of-0", "of-1", "left-0", "left-1", "mine"} < set(content(two.here))
    subjects = git(two.here, "log", "--format=%s").splitlines()
    assert {"of 0", "of 1", "Merge work of another machine"} < set(subjects)
    assert git(two.here, "status", "--porcelain").split("\n") == [
        "?? left-0",
        "?? left-1",
        "?? mine",
    ]
    await two.send()
    assert content(two.there) == content(two.here)


async def test_in_conflict_nothing_is_lost_and_nothing_changed(two: Two) -> None:
    await two.send()
    (two.there / "a.txt").write_text("theirs\n")
    (two.there / "theirs").write_text("x")
    (two.here / "a.txt").write_text("ours\n")

    returned = await two.bring()

    assert returned.conflicts == ["a.txt"]
    assert (two.here / "a.txt").read_text() == "ours\n"
    assert not (two.here / "theirs").exists()
    assert git(two.here, "show", f"{returned.ref}:a.txt") == "theirs"
    assert (await two.send()).conflicts == ["a.txt"]
    (two.here / "a.txt").write_text("theirs\n")  # somebody settles it
    assert not (await two.bring(2)).conflicts
    assert (two.here / "theirs").exists()


async def test_a_late_one_lands_on_its_own_ref_only(two: Two) -> None:
    await two.send()
    (two.there / "late").write_text("late")

    returned = await two.bring(1, counts=False)
    assert not (two.here / "late").exists()
    await two.bring(2)

    assert git(two.here, "show", f"{returned.ref}:late") == "late"
    assert git(two.here, "rev-parse", f"refs/perles/{WORKFLOW}/a/1^{{tree}}") == git(
        two.here, "rev-parse", f"refs/perles/{WORKFLOW}/a/2^{{tree}}"
    )


async def test_doing_it_twice_is_harmless(two: Two) -> None:
    await two.send()
    await two.send()
    (two.there / "b.txt").write_text("b\n")
    git(two.there, "add", ".")
    git(two.there, "commit", "-qm", "second")
    (two.there / "c.txt").write_text("c\n")

    first = await two.bring()
    state = content(two.here), git(two.here, "log", "--format=%H"), git(two.here, "status", "-s")
    second = await two.bring()

    assert second == first
    assert state == (
        content(two.here),
        git(two.here, "log", "--format=%H"),
        git(two.here, "status", "-s"),
    )


async def test_a_line_that_is_cut_at_any_call_is_mended_by_the_next_try(two: Two) -> None:
    (two.here / "big").write_bytes(os.urandom(MAX_PIECE + 1))
    for number in (1, 2):
        (two.here / f"mine-{number}").write_text("x")
        await _until_done(two, lambda line: two.send(line))
        (two.there / f"theirs-{number}").write_bytes(os.urandom(MAX_PIECE + 1))
        git(two.there, "add", ".")
        git(two.there, "commit", "-qm", f"commit {number}")
        (two.there / f"left-{number}").write_text("x")
        await _until_done(two, lambda line, number=number: two.bring(number, line))

    assert content(two.here) == content(two.there)
    subjects = git(two.here, "log", "--format=%s").splitlines()
    assert subjects == ["commit 2", "commit 1", "first"]
    assert git(two.here, "status", "--porcelain").splitlines() == ["?? left-2"]


async def _until_done(two: Two, act) -> None:  # type: ignore[no-untyped-def]
    """Cut it at its first call, then at its second, and so on, until it comes through."""
    for cut in range(1, 100):
        line = Line(two.node, cut)
        try:
            await act(line)
        except Cut:
            continue
        assert cut > 3
        return
    raise AssertionError("it never came through")


async def test_a_bundle_that_is_cut_or_damaged_is_said_and_fetched_anew(two: Two) -> None:
    parcel = Parcel("ab" * 32, 100, "ab" * 32)
    two.node.parcels.put(parcel, 0, b"x" * 40)

    with pytest.raises(ReplicaError, match="the bundle is cut: 40 of 100 bytes"):
        two.node.parcels.whole(parcel)
    assert two.node.parcels.put(parcel, 60, b"x") == 40
    two.node.parcels.put(parcel, 40, b"x" * 60)
    with pytest.raises(ReplicaError, match="damaged"):
        two.node.parcels.whole(parcel)
    assert two.node.parcels.put(parcel, 0, b"") == 0


async def test_a_bundle_that_is_no_bundle_is_refused(two: Two, tmp_path: Path) -> None:
    await two.send()
    order = sync._order(two.shared)[1]
    (tmp_path / "bad").write_bytes(b"# v2 git bundle\n" + b"0" * 40 + b" refs/x\n\nPACKnonsense")
    parcel = two.node.parcels.sealed(tmp_path / "bad")

    with pytest.raises(ReplicaError, match="git does not take the bundle"):
        two.node.refresh(order._replace(parcel=parcel, commit="0" * 40))


async def test_a_full_disk_is_said(two: Two) -> None:
    with pytest.raises(ReplicaError, match=r"the disk of .* is full"):
        two.node.parcels.put(Parcel("ab" * 32, 1 << 60, "ab" * 32), 0, b"x")


async def test_no_git_is_said(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(ReplicaError, match="git is not installed"):
        await two.send()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        ("rm -rf .git", "not a git repository"),
        ("rm -rf .git && git init -q", "no commit yet"),
        ("git commit -qm x --allow-empty && git clone -q --depth 1 file://$PWD .x && rm -rf .git"
         " && mv .x/.git .", "shallow clone"),
        ("git config filter.lfs.clean cat && echo '*.bin filter=lfs' > .gitattributes"
         " && git add . && git commit -qm lfs", "filter"),
    ],
)  # fmt: skip
async def test_what_git_cannot_carry_is_refused_in_words(two: Two, make: str, said: str) -> None:
    _shell(two.here, make)

    with pytest.raises(GitError, match=said):
        await two.send()


async def test_a_hostile_repository_starts_nothing(two: Two, tmp_path: Path) -> None:
    await two.send()
    proof = tmp_path / "ran"
    proof.mkdir()
    for folder in (two.here, two.there):
        hooks = folder / ".git/hooks"
        hooks.mkdir(exist_ok=True)
        for name in ("reference-transaction", "post-index-change", "post-checkout", "pre-commit"):
            (hooks / name).write_text(f"#!/bin/sh\ntouch {proof}/{name}\n")
            (hooks / name).chmod(0o755)
        git(folder, "config", "core.fsmonitor", f"touch {proof}/core.fsmonitor; false")
        git(folder, "config", "filter.evil.clean", f"touch {proof}/clean; cat")
        git(folder, "config", "filter.evil.smudge", f"touch {proof}/smudge; cat")
        git(folder, "config", "merge.evil.driver", f"touch {proof}/merge.evil.driver; true")
        git(folder, "config", "core.sshCommand", f"touch {proof}/core.sshCommand")
        (tmp_path / "gpg").write_text(f"#!/bin/sh\ntouch {proof}/gpg\nexit 1\n")
        (tmp_path / "gpg").chmod(0o755)
        git(folder, "config", "gpg.program", str(tmp_path / "gpg"))
        git(folder, "config", "commit.gpgSign", "true")
        (folder / ".git/info").mkdir(exist_ok=True)
        (folder / ".git/info/attributes").write_text("* filter=evil merge=evil diff=evil\n")
    for trace in proof.iterdir():
        trace.unlink()  # of the set-up itself
    (two.there / "a.txt").write_text("one\nTWO\nthree\n")
    (two.here / "b.txt").write_text("b\n")

    await two.bring()
    await two.send()

    assert not list(proof.iterdir())
    assert (two.here / "a.txt").read_text() == "one\nTWO\nthree\n"
    assert content(two.here) == content(two.there)


async def test_a_branch_that_came_back_can_be_merged(two: Two) -> None:
    git(two.here, "checkout", "-qb", "work")
    await two.send()
    (two.there / "b.txt").write_text("b\n")
    git(two.there, "add", ".")
    git(two.there, "commit", "-qm", "second")
    await two.bring()

    asked = merging.Asked(two.here, "work", "main", "merge it", squash=False)

    assert not merging.merge(asked).already
    assert git(two.here, "show", "main:b.txt") == "b"


async def test_ignored_files_that_a_task_names_come_too(two: Two) -> None:
    await two.send()
    (two.there / "out").mkdir()
    (two.there / "out/a.o").write_bytes(b"a" * 100)
    (two.there / "out/b.o").symlink_to("/etc/passwd")
    (two.there / "other.o").write_text("not asked for")
    (two.there / "out/c.txt").write_text("git has it")

    bring = {"patterns": ["out/*", "a.txt"], "most": 1000}
    found = await sync.bring_ignored(two.shared, Line(two.node), two.parcels, **bring)  # type: ignore[arg-type]

    assert found == ["out/a.o"]
    assert (two.here / "out/a.o").read_bytes() == b"a" * 100
    assert not (two.here / "other.o").exists()
    with pytest.raises(ReplicaError, match="over 99 bytes"):
        two.node.gather(WORKFLOW, ["out/*"], 99)


@pytest.mark.parametrize("name", ["../x", "/x", "link/x", ".git/hooks/pre-commit", "a/../../x"])
def test_files_of_a_node_land_below_the_work_dir_only(tmp_path: Path, name: str) -> None:
    folder, out = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    (folder / "link").symlink_to(out)
    with tarfile.open(tmp_path / "archive", "w") as archive:
        archive.addfile(tarfile.TarInfo(name))

    with pytest.raises(ReplicaError):
        extras.unpack(tmp_path / "archive", folder, 100)

    assert not list(out.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "folder", "out"]


async def test_a_folder_of_a_workflow_that_is_over_goes(two: Two) -> None:
    await two.send()

    two.node.forget(WORKFLOW)
    two.node.forget(WORKFLOW)

    assert not two.there.exists()
    with pytest.raises(ReplicaError):
        two.node.forget("../here")
