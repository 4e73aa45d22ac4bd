"""Whether the kernel ended processes because memory ran out, as far as it tells us.

Imported by the worker's process: it imports nothing.
"""


def oom_kills(root: str = "") -> int | None:
    """How many processes of our control group it ended so far; None where that is not told."""
    for line in _read(f"{root}/proc/self/cgroup").splitlines():
        _, kinds, path = line.split(":", 2)
        if kinds == "":
            found = f"{root}/sys/fs/cgroup{path}/memory.events"
        elif "memory" in kinds.split(","):
            found = f"{root}/sys/fs/cgroup/memory{path}/memory.oom_control"
        else:
            continue
        for counted in _read(found).splitlines():
            name, _, number = counted.partition(" ")
            if name == "oom_kill":
                return int(number)
    return None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""  # not this kernel, or nothing that we may see
