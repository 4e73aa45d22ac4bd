"""Folders of templates that were written for the original are read as it reads them."""

from pathlib import Path

import pytest

from perles.domain.errors import UsageError
from perles.domain.specs import Plan
from perles.templates.catalog import Catalog
from perles.templates.template import Template

HEAD = """\
registry:
  - namespace: workflow
    key: release-notes
    version: v1
    name: Release notes
"""
NODES = """\
    nodes:
      - {key: collect, name: Collect, template: collect.md, assignee: worker-1}
      - {key: write, name: Write, template: write.md, assignee: worker-2, after: [collect]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of templates with one in it, whose files are there."""
    folder = tmp_path / "workflows" / "release-notes"
    folder.mkdir(parents=True)
    for name in ("collect.md", "write.md", "epic.md", "lead.md"):
        (folder / name).write_text(f"{name} for {{{{.Name}}}}\n")
    (tmp_path / "workflows" / "shared.md").write_text("shared for {{.Slug}}\n")
    return tmp_path / "workflows"


def catalog(root: Path) -> Catalog:
    return Catalog(user=root, project=None, builtin=root / "none")


def template(root: Path, text: str) -> Template:
    """The only template, of this text. Raises its error."""
    (root / "release-notes" / "template.yaml").write_text(text)
    return catalog(root).get(catalog(root).list()[0].key)


def plan(root: Path, text: str, name: str | None = None, **args: str) -> Plan:
    return catalog(root).plan(template(root, text).key, args, name=name)


def test_a_folder_of_the_original_becomes_a_plan(root: Path) -> None:
    text = (
        HEAD
        + "    description: Writes notes\n    labels: [category:work, lang:go]\n"
        + "    epic_template: epic.md\n    system_prompt: lead.md\n    path: docs/notes\n"
        + "    arguments:\n"
        + "      - {key: goal, label: Goal, type: textarea, required: y, description: what for}\n"
        + "      - {key: tone, label: Tone, type: select, options: [1, yes, 2.0, null]}\n"
        + "    nodes:\n"
        + "      - key: write\n        name: Write\n        template: write.md\n"
        + "        assignee: worker-2\n        inputs: [{key: raw, file: '{{.Date}}-raw.md'}]\n"
        + "        outputs: [{key: notes, file: '{{.Slug}}-notes.md'}]\n"
        + "      - key: collect\n        name: Collect\n        template: shared.md\n"
        + "        assignee: worker-1\n        outputs: [{key: raw, file: '{{.Date}}-raw.md'}]\n"
        + "      - {key: look, name: Look, template: workflows/release-notes/collect.md,\n"
        + "         assignee: human, after: [write]}\n"
    )

    made = plan(root, text, "My Release 1.0!", goal="ship", tone="2.0")

    assert [task.key for task in made.tasks] == ["write", "collect", "look"]
    write, collect, look = made.tasks
    assert (write.after, collect.after, look.after) == (("collect",), (), ("write",))
    assert write.outputs == {"notes": "docs/notes/my-release-1-0-notes.md"}
    assert write.inputs["raw"].startswith("docs/notes/20")
    assert write.body.startswith("write.md for My Release 1.0!")
    assert collect.body.startswith("shared for my-release-1-0")
    assert (write.assignee, look.assignee) == ("worker-2", "human")
    assert made.goal == "epic.md for My Release 1.0!"
    assert made.instructions.startswith("lead.md for {{.Name}}")  # as it stands
    assert template(root, text).arguments[1].options == ("1", "yes", "2.0")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("namespace: workflow", "namespace:"), "namespace is missing"),
        (("key: release-notes", 'key: ""'), ":2: .*key is missing"),
        (("version: v1", "version: ''"), "version is missing"),
        (("template: collect.md", "template: /etc/passwd"), "absolute paths not allowed"),
        (("template: collect.md", "template: C:x.md"), "absolute paths not allowed"),
        (("template: collect.md", "template: ../x.md"), "path traversal attempt"),
        (("template: collect.md", "template: a..b.md"), "path traversal attempt"),
        (("template: collect.md", "template: nope.md"), ":7: .*no file 'nope.md'"),
        (("assignee: worker-2", "assignee: worker-0"), "invalid assignee 'worker-0'"),
        (("assignee: worker-2", "assignee: worker-100"), "invalid assignee"),
        (("key: write", "key: collect"), ":8: .*duplicate node key"),
        (("after: [collect]", "after: [colect]"), "colect.*unknown node.*mean 'collect'"),
        (("after: [collect]", "after: [write]"), "cycle detected.*write -> write"),
        (("after: [collect]", "after: collect, after: x"), "stands twice"),
        (("name: Write", "inputs: [{key: a, file: x}]"), "not produced: x .required by write"),
        (("name: Write", "inputs: [{file: x}]"), "key is missing"),
        (("name: Write", "outputs: [{key: x}]"), "file is missing"),
        (("name: Write", "outputs: [{key: a, file: ../x}]"), "no path below the work dir"),
        (("name: Write", "outputs: [{key: a, file: /x}]"), "no path below the work dir"),
        (
            (
                "template: write.md",
                "inputs: [{key: a, file: x}], outputs: [{key: a, file: x}], template: write.md",
            ),
            "cycle detected.*write -> write",
        ),
    ],
)  # fmt: skip
def test_a_rule_that_is_broken_is_named_with_its_line(
    root: Path, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=f"cannot use .*template.yaml.*{said}"):
        template(root, (HEAD + NODES).replace(*change, 1))


def test_two_nodes_that_make_one_file_are_refused(root: Path) -> None:
    text = (HEAD + NODES).replace("name:", "outputs: [{key: a, file: '{{.Date}}.md'}], name:")
    text = text.replace("outputs: [{key: a, file: '{{.Date}}.md'}], name: Release", "name: Release")

    with pytest.raises(UsageError, match=r"produced by both collect and write"):
        template(root, text)


ARGUMENT = HEAD + "    arguments:\n      - {key: a, label: A, type: text}\n" + NODES


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("key: a,", "key: '',"), "key is missing"),
        (("label: A,", ""), "label is missing"),
        (("type: text", "type: ''"), "type is missing"),
        (("type: text", "type: date"), "unknown word 'date'"),
        (("type: text", "type: select"), "options are missing"),
        (("type: text", "type: text, required: perhaps"), "expected true or false"),
        (("type: text}", "type: text}\n      - {key: a, label: B, type: text}"), "the key 'a'"),
    ],
)
def test_an_argument_that_breaks_a_rule_is_named(
    root: Path, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        template(root, ARGUMENT.replace(*change, 1))


@pytest.mark.parametrize(
    ("written", "value"),
    [("1.10", "1.10"), ("on", "on"), ("007", "007"), ("2026-01-31", "2026-01-31")],
)
def test_a_scalar_keeps_its_raw_text(root: Path, written: str, value: str) -> None:
    found = template(root, (HEAD + NODES).replace("version: v1", f"version: {written}"))

    assert found.version == value


def test_unknown_keys_of_the_original_have_no_effect_and_are_told(root: Path) -> None:
    text = (HEAD + NODES).replace("name: Collect,", "nme: x,")
    text = "other: 1\n" + text.replace("version", "kind: x\n    version")

    found = template(root, text)

    assert [line.rpartition("yaml:")[2] for line in found.ignored] == [
        "1: other: unknown key",
        "5: registry[0].kind: unknown key",
        "9: registry[0].nodes[0].nme: unknown key (did you mean 'name'?)",
    ]


def test_the_keys_that_an_older_description_taught_still_count(root: Path) -> None:
    text = (
        HEAD
        + "    template: epic.md\n    instructions: lead.md\n"
        + NODES.replace("after: [collect]}", "inputs: [docs/raw.md]}").replace(
            "assignee: worker-1}", "assignee: worker-1, outputs: [docs/raw.md]}"
        )
    )

    made = plan(root, text)

    assert made.goal.startswith("epic.md")
    assert made.instructions.startswith("lead.md")
    assert made.tasks[0].outputs == {"raw": "docs/raw.md"}
    assert made.tasks[1].after == ("collect",)


def test_a_template_leads_by_the_usual_file_where_it_names_none(root: Path) -> None:
    without = plan(root, HEAD + NODES).instructions
    (root / "v1-epic-instructions.md").write_text("Our way. Use bd ready and bd close.")

    found = plan(root, HEAD + NODES).instructions

    assert "list_tasks" in without
    assert found.startswith("Our way.")
    assert "There is no `bd` here" in found
    assert "- write: worker-2" in found


def test_a_template_of_an_epic_that_is_there_has_no_tasks_of_its_own(root: Path) -> None:
    text = (
        HEAD
        + "    system_prompt: lead.md\n"
        + "    arguments: [{key: epic_id, label: Epic ID, type: text, required: true}]\n"
    )

    made = plan(root, text, epic_id="pr-12")

    assert made.tasks == ()
    assert "Epic ID: pr-12" in made.goal
    assert made.provider != "builtin"
    with pytest.raises(UsageError, match="at least one node"):
        template(root, text.replace("epic_id", "epic"))


def test_names_that_are_no_plain_keys_become_such(root: Path) -> None:
    text = (
        (HEAD + NODES)
        .replace("key: collect", "key: Collect Data")
        .replace("after: [collect]", "after: [Collect Data]")
    )

    made = plan(root, text.replace("key: release-notes", "key: Release Notes"))

    assert [(task.key, task.after) for task in made.tasks] == [
        ("collect-data", ()),
        ("write", ("collect-data",)),
    ]
    assert made.template_id == "release-notes"


def test_a_template_lies_at_any_depth_and_a_bad_one_hides_no_other(root: Path) -> None:
    deep = root / "team" / "deep" / "notes"
    deep.mkdir(parents=True)
    (deep / "a.md").write_text("a")
    node = "    nodes: [{key: a, template: a.md}]\n"
    (deep / "template.yaml").write_text(HEAD.replace("release-notes", "deep") + node)
    (root / "release-notes" / "template.yaml").write_text(
        HEAD + "    nodes: [{key: a, template: nope.md}]\n"
        "  - {namespace: workflow, key: other, version: v1,\n"
        "     nodes: [{key: b, template: write.md}]}\n"
        "  - {namespace: lang-guidelines, key: go, nodes: 7}\n"
    )
    (root / "wrong").mkdir()
    (root / "wrong" / "template.yaml").write_text("registry: [")
    (root / "big").mkdir()
    (root / "big" / "template.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    (root / "elsewhere").symlink_to(deep)

    found = {one.key: one for one in catalog(root).list()}

    assert sorted(found) == ["big", "deep", "other", "release-notes", "wrong"]
    assert [key for key in sorted(found) if found[key].error] == ["big", "release-notes", "wrong"]
    assert "over 1 MiB" in str(found["big"].error)
    assert catalog(root).plan("deep", {}, name=None).tasks[0].body == "a"


def test_the_last_of_two_with_one_key_counts_and_stands_in_the_first_ones_place(
    root: Path, tmp_path: Path
) -> None:
    builtin = tmp_path / "builtin"
    node = "    nodes: [{key: a, template: a.md}]\n"
    for folder, key, name in (
        (builtin / "a", "one", "Builtin"),
        (builtin / "b", "two", "Two"),
        (root / "a", "one", "First"),
        (root / "b", "one", "Last"),
    ):
        folder.mkdir(parents=True)
        (folder / "a.md").write_text("a")
        text = HEAD.replace("release-notes", key).replace("Release notes", name)
        (folder / "template.yaml").write_text(text + node)

    found = Catalog(user=root, project=None, builtin=builtin).list()

    assert [(one.key, one.name, one.source) for one in found] == [
        ("one", "Last", "user"),
        ("two", "Two", "builtin"),
    ]


def test_a_link_out_of_the_folder_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (root / "release-notes" / "collect.md").unlink()
    (root / "release-notes" / "collect.md").symlink_to(tmp_path / "secret.md")

    with pytest.raises(UsageError, match="link to a file outside"):
        template(root, HEAD + NODES)


@pytest.mark.parametrize(
    ("goal", "said"),
    [("../../etc", "no path below the work dir"), ("a\nb", "holds control characters")],
)
def test_an_argument_leads_no_file_out_of_the_work_dir(root: Path, goal: str, said: str) -> None:
    text = ARGUMENT.replace(
        "name: Collect,", "name: Collect, outputs: [{key: o, file: '{{.Args.a}}/o.md'}],"
    )

    with pytest.raises(UsageError, match=said):
        plan(root, text, a=goal)


def test_a_file_that_renders_a_gigabyte_is_refused(root: Path) -> None:
    (root / "release-notes" / "collect.md").write_text(
        "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxxxx{% endfor %}{% endfor %}"
    )
    with pytest.raises(UsageError, match=r"cannot render .*collect\.md"):
        plan(root, HEAD + NODES)
    (root / "release-notes" / "collect.md").write_bytes(b"x" * (1024 * 1024 + 1))
    with pytest.raises(UsageError, match=r"collect\.md: it is over 1 MiB"):
        plan(root, HEAD + NODES)
