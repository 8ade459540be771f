"""What a client is told when we end its session: the kind of end, in a person's words."""

_GOODBYES = {
    "revoked": "This app password was revoked",
    "expired": "This app password has expired",
    "narrowed": "What this app password may do has changed, please log in again",
    "closed by its owner": "This session was closed by its owner",
    "idle": "Nothing was heard for too long",
    "shutdown": "The server is going down, please try again later",
}
_OVER = "This login is no longer permitted"


def goodbye_for(reason: str) -> str:
    """Give the last word of a session that ends for this reason: printable ASCII."""
    return _GOODBYES.get(reason, _OVER)
