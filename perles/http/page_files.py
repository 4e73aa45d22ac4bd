"""The files of the page, as they lie in the package. They hold nothing of a home folder."""

import hashlib
from importlib.resources import files
from typing import Final, NamedTuple

from perles.http.wire import Response

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}


class PageFile(NamedTuple):
    """One file, with a tag that changes with what is in it."""

    body: bytes
    type: str
    tag: str

    def answer(self, known: str | None) -> Response:
        """The file; `known` is the tag that the client has already."""
        headers = (("Cache-Control", "no-cache"), ("ETag", self.tag))
        if known == self.tag:
            return Response(304, b"", self.type, headers)
        return Response(200, self.body, self.type, headers)


def load() -> dict[str, PageFile]:
    """All files by their names; `` is the page itself."""
    found = {}
    for file in files("perles.http").joinpath("page").iterdir():
        ending = file.name.rpartition(".")[2]
        if ending in _TYPES:
            body = file.read_bytes()
            tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            found[file.name] = PageFile(body, _TYPES[ending], tag)
    if "index.html" in found:
        found[""] = found["index.html"]
    return found
