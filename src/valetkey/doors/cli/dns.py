"""`valetkey dns`: the records by which mail programs find their servers, to be pasted into a zone."""

# ruff: noqa: FBT002  (typer takes a command's options from its parameters)

from typing import Annotated

import typer

from valetkey.doors.cli.front import DnsRecord
from valetkey.doors.cli.output import note, say, show_json
from valetkey.doors.cli.running import Json, Running, told

_NO_PORTAL = (
    "Without a portal at https:// on port 443 there are no records for autoconfig and autodiscover: "
    "set [portal] base_url to the address that people open."
)
_CERTIFICATE = "The portal's certificate has to hold the names autoconfig.{domain} and autodiscover.{domain} too."


def add_to(app: typer.Typer, running: Running) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Begin")
    def dns(
        domain: Annotated[str, typer.Argument(help="The part of the mail addresses behind the @.")],
        json: Json = False,
    ) -> None:
        """Print the DNS records by which mail programs set themselves up.

        Example: [bold]valetkey dns example.org[/bold]

        Nothing is asked or changed: paste the lines into the domain's zone.
        """
        records = told(lambda: running.front.dns_records(running.config, domain))
        if json:
            show_json([{"name": r.name, "type": r.kind, "value": r.value, "for": r.purpose} for r in records])
            return
        width = max(len(record.name) for record in records)
        for record in records:
            say(_line(record, width))
        finds_portal = any(record.kind == "CNAME" for record in records)
        note(_CERTIFICATE.format(domain=domain) if finds_portal else _NO_PORTAL)


def _line(record: DnsRecord, width: int) -> str:
    return f"{record.name:<{width}}  IN  {record.kind:<5}  {record.value}  ; {record.purpose}"
