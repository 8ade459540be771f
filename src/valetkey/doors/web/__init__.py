"""The portal's pages, server-rendered; they work without JavaScript."""

from valetkey.doors.web.app import create_portal
from valetkey.doors.web.settings import ClientEndpoint, Encryption, WebSettings

__all__ = ["ClientEndpoint", "Encryption", "WebSettings", "create_portal"]
