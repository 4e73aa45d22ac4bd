"""A folder that somebody wrote for the original runs to its end as it is."""

from pathlib import Path

from tests.integration.cli import DEADLINE, Home
from tests.integration.template_agents import crew, told

TEMPLATE = """\
registry:
  - namespace: workflow
    key: release-notes
    version: v1
    name: Release Notes
    description: Collects what changed and writes notes
    epic_template: v1-release-epic.md
    path: docs/notes
    labels: [category:work]
    unheard_of: [1, 2]
    arguments:
      - {key: version, label: Version, type: text, required: true}
      - {key: tone, label: Tone, type: select, options: [dry, warm], default: dry}
      - {key: extra, label: Extra, type: textarea}
    nodes:
      - key: write
        name: Write
        template: v1-write.md
        assignee: worker-2
        inputs: [{key: changes, file: "{{.Date}}-{{.Slug}}-changes.md"}]
        outputs: [{key: notes, file: "{{.Date}}-{{.Slug}}-notes.md"}]
      - key: collect
        name: Collect
        template: v1-collect.md
        assignee: worker-1
        outputs: [{key: changes, file: "{{.Date}}-{{.Slug}}-changes.md"}]
      - key: Look It Over
        name: Look
        template: v1-look.md
        assignee: human
        after: [write]
  - namespace: lang-guidelines
    key: notes
    version: v1
    nodes: [{key: style, template: style.md}]
"""
TEXTS = {
    "v1-release-epic.md": "# {{.Name}} {{.Args.version}}\n{{range $k, $v := .Args}}{{$k}} {{end}}",
    "v1-collect.md": "Collect for {{.Args.version}}.{{/* not shown */}} Write to "
    "{{.Outputs.changes}}.\n{{- if .Args.extra}} Mind: {{.Args.extra}}{{else}} Nothing else."
    "{{end}}\nAsk `bd show TASK` for more. {epic-id} ${HOME}\n",
    "v1-write.md": '{{if and .Args.version (not .Args.extra)}}Plain notes{{end}} in a '
    '{{or .Args.tone "dry"}} tone{{with .Inputs}}, of{{range .}} {{.}}{{end}}{{end}}. '
    '{{if eq .Args.tone "dry"}}No jokes.{{end}} {{.Args.nothing}}\n',
    "v1-look.md": "Look at {{.Config.document_path}}.\n",
    "style.md": "short",
}  # fmt: skip


def test_a_folder_of_the_original_runs_as_it_is(home: Home) -> None:
    crew(home)
    folder: Path = home.root / "workflows" / "team" / "release-notes"
    folder.mkdir(parents=True)
    (folder / "template.yaml").write_text(TEMPLATE)
    for name, text in TEXTS.items():
        (folder / name).write_text(text)

    options = ("--name", "Notes: 2.0 / final", "--arg", "version=2.0")
    run = home.popen("run", "release-notes", *options)
    waits = home.wait_for("the question", lambda: home.json("tasks", "--waiting", "--json"))
    home.perles("approve", waits[0]["workflow_id"], "look-it-over")
    output, errors = run.communicate(timeout=DEADLINE)

    assert run.returncode == 0, output + errors
    made = sorted(path.name[11:] for path in (home.work / "docs" / "notes").iterdir())
    assert made == ["notes-2-0-final-changes.md", "notes-2-0-final-notes.md"]
    collect = told(home, "worker-1", "task-collect")
    assert "Collect for 2.0. Write to docs/notes/20" in collect
    assert "-changes.md. Nothing else.\n" in collect
    assert "{epic-id} ${HOME}" in collect
    assert "There is no `bd` here." in collect
    write = told(home, "worker-2", "task-write")
    assert "Plain notes in a dry tone, of docs/notes/20" in write
    assert "No jokes. <no value>" in write
    lead = told(home, "coordinator", "lead")
    assert "# Notes: 2.0 / final 2.0\nextra tone version" in lead
    assert "- write: worker-2" in lead
    assert waits[0]["question"].startswith("Look at docs/proposals.")
