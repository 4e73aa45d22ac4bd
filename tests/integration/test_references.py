"""What somebody calls a workflow, and what is told when there is none of that name."""

from typing import Any

import pytest

from perles import ControlPlane, WorkflowSpec
from perles.domain.errors import AmbiguousIdError, NotFoundError
from perles.store.reads.connection import reading
from perles.store.reads.references import resolve
from tests.integration.cli import Home


class Named:
    """Workflows of given names in a home, and who is meant by a word."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.plane = ControlPlane(home.root)
        self._file = home.pipeline("file", [{"key": "a", "run": "true"}])

    def add(self, name: str) -> str:
        """A workflow of this name; its id."""
        arguments = {"file": str(self._file)}
        return self.plane.create(
            WorkflowSpec(
                template_id="pipeline", name=name, args=arguments, work_dir=str(self.home.work)
            )
        )

    def meant(self, word: str) -> str:
        """The id that the word stands for."""
        with reading(self.home.database) as connection:
            return resolve(connection, word)

    def near(self, word: str) -> tuple[str, ...]:
        """Whom the error names that the word ends in."""
        with pytest.raises(NotFoundError) as caught:
            self.meant(word)
        assert caught.value.exit_code == 3
        assert all(name in str(caught.value) for name in caught.value.near)
        return caught.value.near


@pytest.fixture
def named(home: Home) -> Named:
    """An empty home."""
    return Named(home)


def test_an_id_a_prefix_of_it_and_a_unique_name_all_mean_it(named: Named) -> None:
    id = named.add("release check")
    other = named.add("other")
    unique = next(id[:n] for n in range(3, 12) if id[:n] != other[:n])

    assert {named.meant(word) for word in (id, unique, id[3:], "release check")} == {id}


def test_a_part_of_a_name_is_not_taken_for_it_but_the_name_is_told(named: Named) -> None:
    named.add("release check")
    named.add("nightly")

    assert named.near("release") == ("release check",)
    assert named.near("RELEASE CHEKC") == ("release check",)
    assert named.near("nigthly") == ("nightly",)
    assert named.near("zzz") == ()


def test_at_most_three_are_named_and_each_once(named: Named) -> None:
    for number in range(5):
        named.add(f"build {number}")
    named.add("build 4")

    near = named.near("build")

    assert len(near) == len(set(near)) == 3
    assert near[0] == "build 4"


def test_an_id_with_a_wrong_letter_names_the_right_one(named: Named) -> None:
    id = named.add("one")
    wrong = id[:-1] + ("a" if id[-1] != "a" else "b")

    assert named.near(wrong) == (id,)
    assert named.near(wrong[3:]) == (id,)


def test_what_is_put_away_is_not_suggested(named: Named) -> None:
    id = named.add("release check")
    named.plane.stop(id)
    named.plane.archive(id)

    assert named.near("release") == ()
    assert named.meant("release check") == id


def test_of_two_with_one_name_the_one_that_is_not_archived_is_meant(named: Named) -> None:
    old = named.add("twin")
    named.plane.stop(old)
    named.plane.archive(old)
    new = named.add("twin")

    assert named.meant("twin") == new


def test_wildcards_in_a_word_are_only_letters(named: Named) -> None:
    named.add("release check")

    assert named.near("%") == ()
    assert named.near("_") == ()


def test_a_name_that_several_have_is_refused_with_their_ids(named: Named) -> None:
    both: Any = {named.add("twin"), named.add("twin")}

    with pytest.raises(AmbiguousIdError) as caught:
        named.meant("twin")

    assert set(caught.value.matches) == both


@pytest.mark.parametrize("verb", ["show", "stop"])
def test_reading_and_changing_both_name_the_near_one(named: Named, verb: str) -> None:
    id = named.add("release check")

    result = named.home.perles(verb, "release")

    assert result.returncode == 3
    assert result.stderr.startswith(
        "perles: cannot find workflow 'release' (did you mean 'release check'?)"
    )
    assert named.plane.get(id)["state"] == "pending"
