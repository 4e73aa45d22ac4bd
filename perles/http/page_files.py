"""The files of the page, as they lie in the package. They hold nothing of a home folder.

The scripts and the style are served below a folder whose name changes with what is in them: a
browser keeps them for good and asks for none of them twice.
"""

import gzip
import hashlib
import re
from importlib.resources import files
from typing import Final, NamedTuple

from perles.http.wire import Request, Response

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}
_PLACED: Final = {"index.html", "sw.js", "app.webmanifest", "icon.svg"}
"""Files whose addresses never change: browsers remember them."""
_LINK: Final = re.compile(rb'((?:href|src)="/)(?=\w+\.(?:js|css)")')
_VERSION: Final = b"@VERSION@"
_ALWAYS_ASKED: Final = "no-cache"
_FOR_GOOD: Final = "public, max-age=31536000, immutable"


class PageFile(NamedTuple):
    """One file, with a tag that changes with what is in it. `small` is the body, compressed."""

    body: bytes
    small: bytes
    type: str
    tag: str
    keep: str

    def answer(self, request: Request) -> Response:
        """The file, or that the client has it already."""
        headers = (("Cache-Control", self.keep), ("ETag", self.tag), ("Vary", "Accept-Encoding"))
        if request.headers.get("if-none-match") == self.tag:
            return Response(304, b"", self.type, headers)
        if not _takes_gzip(request.headers.get("accept-encoding", "")):
            return Response(200, self.body, self.type, headers)
        return Response(200, self.small, self.type, (*headers, ("Content-Encoding", "gzip")))


class Page(NamedTuple):
    """The files by the segments of their addresses; `("",)` is the page itself."""

    files: dict[tuple[str, ...], PageFile]

    def answer(self, request: Request) -> Response | None:
        """The file that is asked for; None where there is none."""
        found = self.files.get(request.segments)
        return None if found is None else found.answer(request)


def load() -> Page:
    """Read all files."""
    bodies = {
        file.name: file.read_bytes()
        for file in files("perles.http").joinpath("page").iterdir()
        if file.name.rpartition(".")[2] in _TYPES
    }
    version = _hash(*(part for name in sorted(bodies) for part in (name.encode(), bodies[name])))
    found: dict[tuple[str, ...], PageFile] = {}
    for name, body in bodies.items():
        if name in _PLACED:
            address = ("",) if name == "index.html" else (name,)
            found[address] = _file(name, _placed(name, body, version), _ALWAYS_ASKED)
        else:
            found[version, name] = _file(name, body, _FOR_GOOD)
    return Page(found)


def _placed(name: str, body: bytes, version: str) -> bytes:
    """A file with the addresses of the files that it names."""
    if name == "index.html":
        return _LINK.sub(rb"\g<1>" + version.encode() + b"/", body)
    return body.replace(_VERSION, version.encode())


def _file(name: str, body: bytes, keep: str) -> PageFile:
    small = gzip.compress(body, mtime=0)
    return PageFile(body, small, _TYPES[name.rpartition(".")[2]], f'"{_hash(body)}"', keep)


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _takes_gzip(accepted: str) -> bool:
    """By the header Accept-Encoding; a weight of 0 is a refusal."""
    for one in accepted.lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() == "gzip":
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False
