"""The HTTP API of doveadm, by httpx. Certificates are always verified, nothing is redirected, the key is sent nowhere else."""

import base64
import ssl
from collections.abc import Callable, Sequence

import httpx

from valetkey.adapters.doveadm import DEADLINE, MAX_ANSWER, DovecotServer
from valetkey.wire import doveadm
from valetkey.wire.doveadm import Answer, Command
from valetkey.wire.machine import PeerError

_PATH = "/doveadm/v1"


class HttpApi:
    """Says commands to the API of one Dovecot."""

    def __init__(self, server: DovecotServer, read_key: Callable[[], str]) -> None:
        """Take a server; its key is read anew for each request, so that a new one holds at once."""
        self._server = server
        self._read_key = read_key

    async def say(self, commands: Sequence[Command]) -> tuple[Answer, ...]:
        """Say commands in one request.

        Raises:
            OSError: It cannot be reached, or is not who it should be.
            PeerError: It refuses the key, or answers what is no answer.
            CannotStart: The file with the key cannot be read.
        """
        key = base64.b64encode(self._read_key().encode()).decode()
        # No compression: what is bounded is what comes over the line.
        headers = {
            "Authorization": f"X-Dovecot-API {key}",
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
        }
        try:
            verify = _context(self._server)
            async with httpx.AsyncClient(verify=verify, timeout=DEADLINE, trust_env=False) as client:
                url = f"{self._server.url.removesuffix(_PATH)}{_PATH}"
                async with client.stream("POST", url, headers=headers, content=doveadm.encode(commands)) as response:
                    if response.status_code != httpx.codes.OK:
                        raise PeerError(_refusal(response.status_code))
                    return doveadm.decode(await _body(response), len(commands))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OSError(str(error) or type(error).__name__) from None


def _refusal(status: int) -> str:
    if status == httpx.codes.UNAUTHORIZED:
        return "doveadm refuses the key (doveadm_key_file, doveadm_api_key)"
    return f"doveadm answers with status {status}"


async def _body(response: httpx.Response) -> bytes:
    octets = b""
    async for part in response.aiter_raw():
        octets += part
        if len(octets) > MAX_ANSWER:
            raise PeerError("doveadm answers too much")
    return octets


def _context(server: DovecotServer) -> ssl.SSLContext | bool:
    if not server.url.startswith("https:"):
        return True
    context = ssl.create_default_context(cafile=None if server.ca_file is None else str(server.ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
