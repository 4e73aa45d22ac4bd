"""`perles token`: who may ask over HTTP."""

from typing import Annotated

import typer

from perles.cli.options import Json
from perles.cli.output import print_json, print_table, say, warn
from perles.controlplane.http_address import served_at
from perles.controlplane.plane import ControlPlane
from perles.domain.duration import parse_duration
from perles.domain.explanations import moment
from perles.domain.tokens import READ, ROLES

app = typer.Typer(
    help="Create, list and revoke the tokens of HTTP clients.",
    no_args_is_help=True,
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the token, such as phone.")],
    role: Annotated[
        str, typer.Option(help=f"{', '.join(ROLES)}: each includes the ones before it.")
    ] = READ,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="Lifetime of the token, such as 30d.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help='Print {"name": …, "role": …, "token": …, "url": …}.')
    ] = False,
) -> None:
    """Create a token and print it once; Perles stores only its hash."""
    plane = ControlPlane()
    lifetime = None if expires is None else parse_duration(expires, bare_seconds=True)
    token = plane.create_token(name, role, lifetime=lifetime)
    url = served_at(plane.paths.root)
    link = None if url is None else f"{url}/#token={token}"
    if json:
        print_json({"name": name, "role": role, "token": token, "url": link}, line=True)
        return
    print(token)
    if link is not None:
        warn(f"open the page with it: {link}")


@app.command("list")
def list_(json: Json = False) -> None:
    """List tokens, without their secrets."""
    found = ControlPlane().tokens()
    if json:
        print_json(found)
    elif found:
        rows = [
            [
                one["name"],
                one["role"],
                moment(one["created_at"]),
                moment(one["expires_at"]) if one["expires_at"] else "-",
                moment(one["revoked_at"]) if one["revoked_at"] else "-",
            ]
            for one in found
        ]
        print_table(("NAME", "ROLE", "CREATED", "EXPIRES", "REVOKED"), rows)
    else:
        warn("no tokens yet: perles token create NAME --role read")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The token's name.")],
    json: Annotated[bool, typer.Option("--json", help='Print {"name": …}.')] = False,
) -> None:
    """Revoke a token. Requests with it are refused from then on."""
    ControlPlane().revoke_token(name)
    if json:
        print_json({"name": name}, line=True)
    else:
        say(f"revoked the token {name}")
