"""Operations: me."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from valetkey.client.connection import Asked, Connection
from valetkey.client.models.me import Me, ReadyMadeList, SharedAccounts


class MeCalls(Connection):
    """Operations: me."""

    def get_me(self) -> Me:
        """Who this token acts for, and what it may do."""
        return self._ask(Me, Asked(method="GET", path="/me"))

    def list_shared_accounts(self) -> SharedAccounts:
        """The shared accounts that one owns."""
        return self._ask(SharedAccounts, Asked(method="GET", path="/me/shared-accounts"))

    def list_ready_made(self) -> ReadyMadeList:
        """The ready-made choices for an app password."""
        return self._ask(ReadyMadeList, Asked(method="GET", path="/ready-made"))
