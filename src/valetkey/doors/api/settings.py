"""What the API is told by the configuration."""

from dataclasses import dataclass

from valetkey.core.network import Network


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The API's settings. Policy and named networks come with the ports."""

    base_url: str  # where people reach the portal, such as https://mail.example.org
    trusted_proxies: tuple[Network, ...] = ()  # only these may say X-Forwarded-For
    per_minute: int = 600  # requests of one token
    failures_per_minute: int = 30  # refused tokens of one network (/24, /56)
    strict_transport: bool = False  # whether clients shall insist on HTTPS
