"""Where passkeys belong: to the host under which the portal is visited (Web Authentication, section 5.1.3, step 7)."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from valetkey.doors.web.settings import WebSettings
from valetkey.service.sign_in_parts import RelyingParty

_DEFAULT_PORTS = {"https": 443, "http": 80}


def relying_party(settings: WebSettings, host: str) -> RelyingParty | None:
    """Give the relying party of a request, or None where browsers permit no passkeys.

    The Host header only chooses among the portal's own addresses; one that is none of them means the main one, as behind
    a proxy that says another. Browsers permit passkeys to names, not to bare IP addresses, over TLS or on this machine.

    Args:
        settings: The portal's settings.
        host: The Host header, untrusted.
    """
    urls = (settings.base_url, *settings.also_at)
    wanted = host.lower()
    parts = next((split for url in urls if (split := urlsplit(url)).netloc.lower() == wanted), urlsplit(urls[0]))
    name = parts.hostname or ""
    is_local = name == "localhost" or name.endswith(".localhost")
    if not name or _is_bare(name) or (parts.scheme != "https" and not is_local):
        return None
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    return RelyingParty(name, f"{parts.scheme}://{name}{port}", settings.site_name)


def _is_bare(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
