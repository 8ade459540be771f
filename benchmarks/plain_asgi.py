"""The least that an ASGI application can answer, on uvicorn with httptools: `python -m benchmarks.plain_asgi PORT`."""

import sys
from typing import Any

import uvicorn


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer as auth_http does, without asking anything."""
    del scope
    await receive()
    headers = [
        (b"auth-status", b"OK"),
        (b"auth-server", b"127.0.0.1"),
        (b"auth-port", b"143"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body"})


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(answer, port=port, http="httptools", ws="none", lifespan="off", access_log=False, log_level="error")
