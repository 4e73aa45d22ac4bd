"""What a task printed, in the command of the next: text in every quoting context, never code."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perles.domain.execution import Language
from perles.templates.outputs import check_command, fill_command

X = "{{ tasks.a.output }}"
SHELLS = [shell for shell in ("sh", "sh -e", "bash -eo pipefail") if shutil.which(shell.split()[0])]

SAME = {
    "bare": f"printf %s {X}",
    "double": f'printf %s "{X}"',
    "single": f"printf %s '{X}'",
    "assignment": f'v={X}; printf %s "$v"',
    "assignment in double": f'v="{X}"; printf %s "$v"',
    "substitution": f'printf %s "$(printf %s {X})"',
    "substitution in double": f'printf %s "$(printf %s "{X}")"',
    "backquotes": f"v=`printf %s '{X}'`; printf %s \"$v\"",
    "default": f'printf %s "${{nothing:-{X}}}"',
    "default, bare": f"printf %s ${{nothing:-{X}}}",
    "here-document": f"cat <<EOF\n{X}\nEOF\n",
    "quoted here-document": f"cat <<'EOF'\n{X}\nEOF\n",
    "stripped here-document": f'cat <<-"END"\n\t{X}\n\tEND\n',
    "two here-documents": f"cat <<A - <<'B'\nnot this\nA\n{X}\nB\n",
    "argument of a script": f"sh -c 'printf %s \"$1\"' _ {X}",
    "argument, quoted": f'sh -c \'printf %s "$1"\' _ "{X}"',
    "script in single": f"sh -c 'printf %s \"{X}\"'",
    "script in single, bare": f"sh -c 'printf %s {X}'",
    "script of a passing program": f"env A=b sh -ec 'printf %s {X}'",
    "eval of single": f"eval 'printf %s \"{X}\"'",
    "trap": f"trap 'printf %s \"{X}\"' EXIT",
    "script on standard input": f"sh <<'EOF'\nprintf %s '{X}'\nEOF\n",
    "case in a substitution": f'printf %s "$(case a in a) printf %s "{X}";; esac)"',
    "function": f'f() {{ printf %s "$1"; }}; f {X}',
    "loop": f'for v in {X}; do printf %s "$v"; done',
    "after a comment": f"# it's \"{X}\nprintf %s {X}",
    "variable of awk": 'awk -v v=1 \'BEGIN { printf "%s", ENVIRON["PERLES_OUTPUT_a"] }\'',
}
"""Here the text comes out as it is."""

GUARDED = {
    "script in double": f'sh -c "printf %s {X}"',
    "eval": f"eval printf %s {X}",
    "eval of double": f'eval "printf %s {X}"',
    "sum": f"echo $(( {X} + 1 ))",
    "sum in double": f'echo "$(({X}+1))"',
    "sed": f"echo a | sed 's/a/{X}/'",
    "sed in double": f'echo a | sed "s/a/{X}/"',
    "awk": f"awk 'BEGIN {{ print \"{X}\" }}'",
    "python": f"python3 -Sc 'print(\"{X}\")'",
    "compared": f"[[ {X} -eq 1 ]]",
    "let": f'let "v={X}"',
    "standard input of a shell": f"sh <<EOF\necho {X}\nEOF\n",
}
"""Here the text is code of another program: it comes out where it is one plain word."""

REFUSED = {
    "eval alone": f"eval {X}",
    "a script alone": f"sh -c {X}",
    "a command in a script": f'sh -c "cd /; {X}"',
    "eval of what prints it": f'eval "$(echo {X})"',
    "program of awk": f"awk {X}",
    "ssh": f"ssh host {X}",
    "name of a variable": f"echo ${{{X}}}",
    "ansi": f"echo $'{X}'",
    "after a backslash": f"echo \\{X}",
}
"""Here no text is safe."""

_PIECES = (
    *("$(touch pwned)", "`touch pwned`", "; touch pwned; ", "\ntouch pwned\n", "'", '"', "\\", "$"),
    *(
        "EOF\ntouch pwned\n",
        "END\n",
        "B\n",
        ")",
        "}",
        "`",
        "#",
        "&&touch pwned",
        "|touch pwned",
        "*",
    ),
    *(" ", "\t", "a", "1", "-n", "%s", "x[$(touch pwned)]", "/e;", "'; touch pwned; '", "é", "\r"),
    *('"); import os; os.system("touch pwned"); ("', '"; system("touch pwned"); "', "${IFS}"),
)
TEXTS = st.lists(st.sampled_from(_PIECES), max_size=6).map("".join)


def _run(shell: str, script: str, output: str) -> tuple[int, str, str, bool]:
    """The script with an output filled in, run as a worker does; whether the text became code."""
    filled, variables = fill_command(script, {"a": output})
    with tempfile.TemporaryDirectory() as parent:
        (Path(parent) / "script").write_text(filled, newline="")
        folder = Path(parent) / "work"
        folder.mkdir()
        done = subprocess.run(
            [*shell.split(), f"{parent}/script"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], **variables},
            capture_output=True,
            timeout=60,
            check=False,
        )
        became_code = (folder / "pwned").exists()
    return done.returncode, done.stdout.decode(), done.stderr.decode(), became_code


@settings(max_examples=250)
@given(st.sampled_from(sorted(SAME)), st.sampled_from(SHELLS), TEXTS)
def test_a_text_comes_out_as_it_is(context: str, shell: str, text: str) -> None:
    _, out, err, became_code = _run(shell, SAME[context], text)
    assert not became_code
    assert err == ""
    assert out.rstrip("\n") == text.rstrip("\n")


@settings(max_examples=250)
@given(st.sampled_from(sorted(GUARDED)), st.sampled_from(SHELLS), TEXTS)
def test_a_text_is_no_code_of_another_program(context: str, shell: str, text: str) -> None:
    *_, became_code = _run(shell, GUARDED[context], text)
    assert not became_code


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from([X, *_PIECES, *SAME.values(), *GUARDED.values()]), max_size=5),
    st.sampled_from(SHELLS),
    TEXTS,
)
def test_in_any_script_the_text_changes_nothing_but_text(
    pieces: list[str], shell: str, text: str
) -> None:
    script = "".join(piece.replace("touch pwned", ":") for piece in pieces)
    *_, became_code = _run(shell, script, text)
    assert not became_code


@pytest.mark.parametrize("context", ["script in double", "eval", "sed", "awk", "python"])
def test_one_plain_word_goes_where_code_stands(context: str) -> None:
    _, out, *_ = _run("sh", GUARDED[context], "v1.2")
    assert out == "v1.2" + "\n" * (context not in ("script in double", "eval"))


def test_a_number_can_be_added_to() -> None:
    assert _run("sh", GUARDED["sum"], "41\n")[1] == "42\n"


def test_what_is_no_plain_word_stops_the_script_with_the_reason() -> None:
    _, out, err, _ = _run("sh", GUARDED["sed"], "a b")
    assert "would be read as code" in err
    assert out == ""


@pytest.mark.parametrize("context", sorted(REFUSED))
def test_where_no_text_is_safe_the_command_is_refused(context: str) -> None:
    assert "cannot fill in an output safely" in (check_command(REFUSED[context]) or "")
    code, _, err, became_code = _run("sh", REFUSED[context], "touch pwned")
    assert (code, became_code) == (2, False)
    assert "PERLES_OUTPUT_a" in err


@pytest.mark.parametrize("context", sorted(SAME | GUARDED))
def test_where_a_text_is_safe_the_command_is_not_refused(context: str) -> None:
    assert check_command((SAME | GUARDED)[context]) is None


def test_nul_and_half_letters_are_dropped_and_keys_do_not_mix() -> None:
    filled, variables = fill_command(
        "echo {{ tasks.a-b.output }} {{tasks.a_b.output}}", {"a-b": "1\0\ud800", "a_b": "2"}
    )
    assert filled == 'echo "${PERLES_OUTPUT_a_b}" "${PERLES_OUTPUT_a_b_}"'
    assert (variables["PERLES_OUTPUT_a_b"], variables["PERLES_OUTPUT_a_b_"]) == ("1?", "2")


def test_a_command_without_outputs_stays_as_it_is() -> None:
    script = "echo \"$(date)\" '{{ x }}' <<'EOF'\n$HOME \\\nEOF\n"
    assert fill_command(script, {"a": "1"}) == (script, {})


PYTHON = {
    "argument": f"said.append({X})",
    "of a method": f"said.append({X}.replace('', ''))",
    "at the beginning": f"{X}\nsaid.append({X})",
    "assignment": f"v={X}\nsaid.append(v)",
    "in a block": f"if True:\n    said.append({X})",
    "beside a comment": f"said.append({X})  # {X}",
    "over lines": f"said.append((\n{X}\n))",
}
_PYTHON_PIECES = (
    *('"); said.append("pwned"); ("', "'''", '"', "'", "\n", "\\", "{", "}", "#", "\n  x = 1\n"),
    *("__import__('os').abort()", "exit()", "\r", "a", "\u2028", X),
)


@settings(max_examples=200)
@given(
    st.sampled_from(sorted(PYTHON)),
    st.lists(st.sampled_from(_PYTHON_PIECES), max_size=6).map("".join),
)
def test_a_text_in_python_comes_out_as_it_is(context: str, text: str) -> None:
    filled, variables = fill_command(PYTHON[context], {"a": text}, Language.PYTHON)
    assert check_command(PYTHON[context], Language.PYTHON) is None
    assert filled == fill_command(PYTHON[context], {"a": "other"}, Language.PYTHON)[0]
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        exec(filled, {"said": said})
    assert said == [text]


@pytest.mark.parametrize(
    "script",
    [
        f'print("{X}")',
        f"print(f'{{{X}}}')",
        f"print('''\n{X}\n''')",
        f"print(b'{X}')",
        f"v{X} = 1",
        f"print({X}",
    ],
)
def test_in_python_a_place_within_a_string_or_a_word_is_refused(script: str) -> None:
    assert "cannot fill in an output safely" in (check_command(script, Language.PYTHON) or "")
    filled, _ = fill_command(script, {"a": "x"}, Language.PYTHON)
    with pytest.raises(SystemExit, match="cannot fill in an output safely"):
        exec(filled)


def test_a_script_of_another_program_has_outputs_in_variables_alone() -> None:
    assert "only scripts of sh, bash and python" in (check_command(X, Language.OTHER) or "")
    script = "console.log(process.env.PERLES_OUTPUT_a)"
    assert check_command(script, Language.OTHER) is None
    filled, variables = fill_command(script, {"a": "1"}, Language.OTHER)
    assert filled == script
    assert variables["PERLES_OUTPUT_a"] == "1"
