"""The files of the page: what a browser keeps, and what it asks for again."""

import gzip
import re
from importlib.resources import files

import pytest

from perles.http import page_files
from perles.http.wire import Request, Response

PAGE = page_files.load()
FOLDER = files("perles.http").joinpath("page")


def _get(path: str, **headers: str) -> Response | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return PAGE.answer(Request("GET", tuple(path[1:].split("/")), {}, named, 0))


def _header(answer: Response, name: str) -> str | None:
    return dict(answer.headers).get(name)


def _names() -> list[str]:
    """The addresses of all files that the page itself and its service worker name."""
    page, worker = _get("/"), _get("/sw.js")
    assert page is not None
    assert worker is not None
    links = re.findall(r'(?:href|src)="(/[^"#]+)"', page.body.decode())
    (version,) = set(re.findall(r"/([0-9a-f]{16})/", page.body.decode()))
    assert f'"{version}"' in worker.body.decode()
    return [*links, *(f"/{version}/{name}" for name in re.findall(r'"(\w+\.\w+)"', str(worker)))]


def test_all_that_the_page_names_is_served() -> None:
    names = _names()

    assert len(names) > 15
    for name in names:
        assert _get(name) is not None, name


@pytest.mark.parametrize("path", ["/", "/sw.js", "/app.webmanifest", "/icon.svg"])
def test_what_keeps_its_address_is_asked_for_again_and_not_sent_again(path: str) -> None:
    found = _get(path)
    assert found is not None
    tag = _header(found, "ETag")
    assert tag is not None

    again = _get(path, if_none_match=tag)

    assert again is not None
    assert (again.status, again.body) == (304, b"")
    assert _header(found, "Cache-Control") == "no-cache"
    other = _get(path, if_none_match='"other"')
    assert other is not None
    assert other.status == 200


def test_a_browser_keeps_scripts_and_style_for_good_as_their_address_changes_with_them() -> None:
    kept = [name for name in _names() if name.endswith((".js", ".css"))]

    assert len(kept) >= 11
    for name in kept:
        found = _get(name)
        assert found is not None
        assert "immutable" in str(_header(found, "Cache-Control")), name
        assert PAGE.answer(Request("GET", ("0" * 16, name.rpartition("/")[2]), {}, {}, 0)) is None


@pytest.mark.parametrize(
    ("accepted", "is_small"),
    [
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.8", True),
        ("GZIP", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, br", False),
        ("", False),
        ("br", False),
        ("xgzip", False),
    ],
)
def test_a_file_comes_compressed_to_whom_takes_that(accepted: str, is_small: bool) -> None:
    whole, found = _get("/"), _get("/", accept_encoding=accepted)
    assert whole is not None
    assert found is not None

    assert (_header(found, "Content-Encoding") == "gzip") is is_small
    assert (gzip.decompress(found.body) if is_small else found.body) == whole.body
    assert _header(found, "Vary") == "Accept-Encoding"


def test_over_the_wire_the_page_is_small() -> None:
    assert sum(len(one.small) for one in PAGE.files.values()) < 24 * 1024


def test_the_page_is_small_and_complete_and_writes_no_markup() -> None:
    size = 0
    names = {file.name for file in FOLDER.iterdir()}
    for file in FOLDER.iterdir():
        text = file.read_text()
        size += len(text.encode())
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text, (file.name, word)
        for name in re.findall(r'(?:from "\./|(?:href|src)="/)([\w.]+)"', text):
            assert name in names, name
        assert not re.search(r"""(src|href|from|url\()\s*=?\s*["'(]?https?://""", text), file.name
    assert size <= 60 * 1024
    kept = set(re.findall(r'"/?([\w]+\.\w+)"', FOLDER.joinpath("sw.js").read_text()))
    assert kept == names - {"index.html", "sw.js"}
