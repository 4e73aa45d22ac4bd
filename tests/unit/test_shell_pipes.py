"""Outputs that a command runs as code on purpose are told; all other uses are not."""

import pytest

from perles.templates.shell_pipes import outputs_run

OUT = "{{ tasks.a.output }}"


@pytest.mark.parametrize(
    "script",
    [
        f"echo {OUT} | sh",
        f"echo {OUT} | sudo bash -s",
        f"printf %s {OUT} | tee log | /bin/bash",
        f"echo {OUT} | sh; echo done",
        f"(echo {OUT} | dash)",
        f"echo {OUT} | python3 -",
        f"echo {OUT} | env LC_ALL=C sh 2>&1",
        f"set -e\ncd x\necho {OUT} | bash\n",
        f"eval {OUT}",
        f'true && eval "{OUT}"',
        f"sh <<< {OUT}",
        f"bash <<EOF\n{OUT}\nEOF\n",
        f"sudo sh -s <<-'EOF'\n\techo\n\t{OUT}\n\tEOF\n",
    ],
)
def test_an_output_that_a_shell_reads_as_its_program_is_told(script: str) -> None:
    assert outputs_run(script) == ["a"]


@pytest.mark.parametrize(
    "script",
    [
        f"echo {OUT}",
        f"echo {OUT} | sort | sh-lint",
        f"echo {OUT} | sh count.sh",
        f"echo {OUT} | python -c 'import sys; print(sys.stdin.read())'",
        f"echo {OUT}\ncat install.sh | sh",
        f"cat <<EOF\n{OUT}\nEOF\n",
        f"evaluate {OUT}",
        f"cat setup | sh; echo {OUT}",
        "echo plain | sh",
        f"./sh {OUT}",
    ],
)
def test_an_output_that_is_data_is_not(script: str) -> None:
    assert outputs_run(script) == []
