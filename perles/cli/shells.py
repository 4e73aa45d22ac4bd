"""What makes a shell ask `perles` behind Tab: scripts for bash, zsh and fish, and where they go."""

import os
from pathlib import Path
from typing import Final

from perles.cli.completing import FILES, VERB
from perles.domain.errors import UsageError

_BASH: Final = """\
# Completion of perles for bash.
_perles() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} line value
    COMPREPLY=()
    while IFS= read -r line; do
        value=${{line%%$'\\t'*}}
        if [[ $line == "{files}" ]]; then
            COMPREPLY+=( $(compgen -f -- "$current") )
        elif [[ $value == *:* && $current == *:* ]]; then
            COMPREPLY+=( "${{value#"${{current%"${{current##*:}}"}}"}}" )
        elif [[ $value =~ [^[:alnum:]_@%+=,./:~-] ]]; then
            COMPREPLY+=( "$(printf '%q' "$value")" )
        else
            COMPREPLY+=( "$value" )
        fi
    done < <(perles {verb} "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null)
    return 0
}}
complete -o filenames -o nosort -F _perles perles
"""
_ZSH: Final = """\
#compdef perles
# Completion of perles for zsh.
_perles() {{
    local line
    local -a found
    while IFS= read -r line; do
        if [[ $line == $'{files}' ]]; then
            _files
        else
            found+=( "${{${{line%%$'\\t'*}}//:/\\\\:}}:${{line#*$'\\t'}}" )
        fi
    done < <(perles {verb} "${{(@)words[2,CURRENT]}}" 2>/dev/null)
    (( ${{#found}} )) && _describe -V perles found
}}
compdef _perles perles
"""
_FISH: Final = """\
# Completion of perles for fish.
function __perles_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (perles {verb} $words[2..] 2>/dev/null)
        if test "$line" = \\t"files"
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c perles -f -k -a '(__perles_complete)'
"""
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
SHELLS: Final = tuple(_SCRIPTS)
_PLACES: Final = {
    "bash": ".local/share/bash-completion/completions/perles",
    "zsh": ".zfunc/_perles",
    "fish": ".config/fish/completions/perles.fish",
}

BASH_COMPLETION: Final = (
    "/usr/share/bash-completion/bash_completion",
    "/usr/local/share/bash-completion/bash_completion",
    "/etc/bash_completion",
)
"""What reads the scripts of programs in bash: the package bash-completion."""


def script(shell: str) -> str:
    """The script for a shell. Raises `UsageError`."""
    if shell not in _SCRIPTS:
        raise UsageError(
            f"cannot complete in {shell or 'this shell'!r}: name one of {', '.join(_SCRIPTS)}"
        )
    files = FILES.replace("\t", "\\t") if shell == "zsh" else FILES
    return _SCRIPTS[shell].format(verb=VERB, files=files)


def shell_here() -> str:
    """The name of the person's shell."""
    return Path(os.environ.get("SHELL", "")).name


def install(shell: str) -> str:
    """Write the script where the shell looks for it; what to tell. Raises `UsageError`."""
    text = script(shell)
    path = Path.home() / _PLACES[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    more = ""
    if shell == "zsh":
        more = "; ~/.zshrc needs: fpath+=~/.zfunc; autoload -Uz compinit; compinit"
    elif shell == "bash" and not any(Path(place).exists() for place in BASH_COMPLETION):
        more = " once your system's package bash-completion, which reads that file, is installed"
    return f"wrote {path}; a new {shell} completes perles{more}"
