"""Whether an engine's answer is whole: one that was cut off is asked for again."""


def is_whole(answer: bytearray, *, ended: bool) -> bool:
    """Whether this is all of an HTTP response; `ended`: nothing comes after it."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    for line in bytes(answer[:end]).lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(answer) - end - 4 >= int(value)
        if name == b"transfer-encoding":
            return answer.endswith(b"\r\n0\r\n\r\n")
    return ended
