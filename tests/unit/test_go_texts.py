"""Texts in the syntax of Go's text/template come to what Go makes of them."""

import pytest

from perles.domain.errors import UsageError
from perles.domain.execution import Language
from perles.templates.gotext.dialect import is_go
from perles.templates.render import check_variables, render

VALUES = {
    "Slug": "a-name",
    "Name": "A name",
    "Date": "2026-01-31",
    "Args": {"a": "x", "b": "", "my-key": "k"},
    "Inputs": {},
    "Outputs": {"plan": "docs/plan.md"},
    "Config": {"document_path": "docs/proposals"},
}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{.Args.a}}|{{ .Args.a }}|{{.Args.b}}", "x|x|"),
        ("{{.Args.zz}} {{.Inputs.zz}}", "<no value> <no value>"),
        ("{{if .Args.zz}}yes{{else}}no{{end}}", "no"),
        ("{{not .Args.zz}} {{not .Args.a}}", "true false"),
        ('{{eq .Args.zz "q"}} {{eq .Args.a "q" "x"}} {{ne .Args.a "q"}}', "false true true"),
        ('{{or .Args.zz "dflt"}} {{or .Args.a "dflt"}} {{and .Args.a "z"}}', "dflt x z"),
        ('{{print .Args.zz}}|{{index .Args "nope"}}|{{index .Args "my-key"}}', "<nil>||k"),
        ("{{range $k, $v := .Args}}{{$k}}={{$v}} {{end}}", "a=x b= my-key=k "),
        ("{{range .Inputs}}x{{else}}none{{end}}", "none"),
        ("{{range $v := .Args}}[{{$v}}]{{end}}", "[x][][k]"),
        ("{{range .Args}}{{if not .}}{{continue}}{{end}}{{.}}{{break}}{{end}}", "x"),
        ("a \n{{- if .Slug}}\n- b\n{{- end}}\nc", "a\n- b\nc"),
        ("a\n{{if .Slug}}\nb\n{{end}}\nc", "a\n\nb\n\nc"),
        ("a {{.Slug -}} \n b", "a a-nameb"),
        ("{{.Args}} {{.Inputs}}", "map[a:x b: my-key:k] map[]"),
        ("a{{/* {{ no }} */}}b{{- /* c */ -}} d", "abd"),
        ("{{.Slug}} { {x} }, {epic-id}, ${X}", "a-name { {x} }, {epic-id}, ${X}"),
        ("{{with .Args.a}}<{{.}}>{{else}}none{{end}}", "<x>"),
        ("{{with $p := .Outputs.plan}}{{$p}} {{$.Slug}}{{end}}", "docs/plan.md a-name"),
        ('{{define "t"}}<{{.}}>{{end}}{{template "t" .Name}}', "<A name>"),
        ('{{block "t" .Name}}({{.}}){{end}}', "(A name)"),
        ("{{if .Args.b}}1{{else if .Args.a}}2{{else}}3{{end}}", "2"),
        ("{{if and .Slug (not .Args.b)}}both{{end}}", "both"),
        ('{{.Name | printf "%s: %q %d%%" "a"}}', 'a: "A name" %!d(MISSING)%'),
        ('{{printf "%5s|%-5s|%03d|%v" "a" "b" 7 true}}', "    a|b    |007|true"),
        ("{{`raw {{ text }}`}}{{.Slug}}", "raw {{ text }}a-name"),
        ('{{"a\\n\\u00e4"}}{{.Slug}}', "a\näa-name"),
        ("{{$x := 1}}{{if .Slug}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{len .Args}} {{len .Name}} {{slice .Name 2 4}} {{index .Name 0 | len}}", "3 6 na 1"),
        ("{{print 1 2 .Slug 3}} {{html .Args.a}} {{urlquery .Name}}", "1 2a-name3 x A+name"),
        ("{{lt 1 2}} {{ge 2 2}} {{gt .Args.a .Name}}", "true true true"),
        ("{{.Config.document_path}}/{{.Date}}--{{.Name}}", "docs/proposals/2026-01-31--A name"),
        ("{{ .Slug }} {{ tasks.unit.output }}", "a-name {{ tasks.unit.output }}"),
    ],
)  # fmt: skip
def test_a_text_comes_to_what_go_makes_of_it(text: str, made: str) -> None:
    assert render(text, VALUES, source="t.md") == made


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n{{.Foo}}", "t.md:2: can't evaluate field Foo"),
        ("{{.args.a}}", "can't evaluate field args"),
        ("{{.Args.a.b}}", "can't evaluate field b in type string"),
        ("\n\n{{.Args.my-key}}", "t.md:3: bad character U.002D '-'.*index .Args"),
        ("{{upper .Name}}", 't.md:1: function "upper" not defined; there are only .*Jinja2'),
        ("{{.Name | upper}}", 'function "upper" not defined'),
        ("{{if .Slug}}x", "no {{end}} for {{if .Slug}}"),
        ("a{{end}}", "unexpected {{end}}"),
        ("{{.Slug", "unclosed action"),
        ("{{/* x }}", "unclosed comment"),
        ('{{"x}}{{.Slug}}', "unterminated quoted text"),
        ("{{$x}}", 'undefined variable "\\$x"'),
        ("{{if .Slug}}{{$y := 1}}{{end}}{{$y}}", 'undefined variable "\\$y"'),
        ('{{template "none" .}}', 'template "none" not defined'),
        ("{{index .Args 1 2}}{{.Slug}}", "index out of range: 2"),
        ('{{eq .Args.a 1}}', "incompatible types for comparison"),
        ("{{not .Args.a .Args.b}}", "wrong number of args for not: want 1 got 2"),
        ("{{.Slug .Name}}", "can't give argument to non-function"),
        ("{{.}}", "cannot print all there is"),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_in_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"cannot render .*{said}"):
        render(text, VALUES, source="t.md")


@pytest.mark.parametrize(
    "text",
    [
        '{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}',
        '{{define "a"}}{{template "b" .}}{{template "b" .}}{{end}}'
        '{{define "b"}}{{template "a" .}}{{template "a" .}}{{end}}{{template "a" .}}',
        "{{range 1000000000}}x{{end}}{{.Slug}}",
        "{{range 1000}}{{range 1000}}{{end}}{{end}}{{.Slug}}",
        '{{printf "%999999999d" 1}}{{.Slug}}',
        "{{if .Slug}}" * 5000,
        "{{" + "(" * 5000 + ".Slug" + ")" * 5000 + "}}",
    ],
    ids=["itself", "each-other", "long", "nested", "width", "deep", "parentheses"],
)
def test_a_text_that_never_ends_or_grows_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot render t\.md"):
        render(text, VALUES, source="t.md")


def test_a_value_is_one_word_in_a_command_and_one_that_is_not_there_is_refused() -> None:
    values = {**VALUES, "Args": {"a": "it's; rm -rf /"}}

    made = render("echo {{if .Args.a}}{{.Args.a}}{{end}}", values, source="t", written_in=_SH)

    assert made == "echo 'it'\"'\"'s; rm -rf /'"
    with pytest.raises(UsageError, match="value that there is not"):
        render("echo {{.Args.zz}}", values, source="t", written_in=_SH)


_SH = Language.SHELL


@pytest.mark.parametrize(
    ("text", "go"),
    [
        ("{{ .Name }}", True),
        ("{{- if .Args.x}}y{{- end}}", True),
        ("{{ Args.x }}", False),
        ("{{ Args.x }} {{.Args.y}}", False),
        ("{% if Args.x %}{{.Args.x}}{% endif %}", False),
        ("{{ not Args.x }}", False),
        ("no braces", False),
    ],
)
def test_the_syntax_of_a_text_is_told_by_its_actions(text: str, go: bool) -> None:
    assert is_go(text) == go


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{if .Args.a}}\n{{.Args.goul}}{{end}}", "t.md:2: .Args.goul is undefined.*'goal'"),
        ("{{range .Args}}{{$.Nam}}{{.x}}{{end}}", "t.md:1: .Nam is undefined.*'Name'"),
        ("{{with .Args}}{{.x}}{{end}}{{else}}", "unexpected {{else}}"),
    ],
)
def test_what_a_text_names_is_checked_in_every_branch(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_variables(text, ("Args", "Name"), ("a", "goal"), source="t.md")
