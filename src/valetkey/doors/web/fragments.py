"""Parts of pages, rendered on their own: what live updates send."""

from typing import Any

from valetkey.doors.web.gate import Visit


def fragment(visit: Visit, template: str, **facts: Any) -> str:
    """Render a part of a page for a visitor; its facts are the same as in the page."""
    everything = {"visit": visit, "now": visit.now, **facts}
    return bytes(visit.portal.templates.html(template, everything, visit.language).body).decode()
