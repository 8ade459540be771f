"""Operations: connections."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from collections.abc import Iterator

from valetkey.client.connection import Asked, Connection
from valetkey.client.models.connections import ConnectionPage, Doors, OpenConnection, Servers


class ConnectionsCalls(Connection):
    """Operations: connections."""

    def list_account_connections(
        self, account_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> ConnectionPage:
        """The open mail connections of an account."""
        return self._ask(
            ConnectionPage,
            Asked(
                method="GET",
                path="/accounts/{account_id}/connections",
                names={"account_id": account_id},
                query={"limit": limit, "cursor": cursor},
            ),
        )

    def each_of_account_connections(self, account_id: str, *, limit: int = 50) -> Iterator[OpenConnection]:
        """Go through all pages of `list_account_connections`."""
        return self._each(lambda cursor: self.list_account_connections(account_id, limit=limit, cursor=cursor))

    def list_connections(self, *, limit: int = 50, cursor: str | None = None) -> ConnectionPage:
        """Everybody's open mail connections."""
        return self._ask(
            ConnectionPage, Asked(method="GET", path="/connections", query={"limit": limit, "cursor": cursor})
        )

    def each_of_connections(self, *, limit: int = 50) -> Iterator[OpenConnection]:
        """Go through all pages of `list_connections`."""
        return self._each(lambda cursor: self.list_connections(limit=limit, cursor=cursor))

    def close_connection(self, connection_id: str) -> None:
        """Close one."""
        self._ask_nothing(
            Asked(method="DELETE", path="/connections/{connection_id}", names={"connection_id": connection_id})
        )

    def list_servers(self) -> Servers:
        """The mail servers and how they stand."""
        return self._ask(Servers, Asked(method="GET", path="/servers"))

    def list_doors(self) -> Doors:
        """Where mail servers ask, who may, and what came of it."""
        return self._ask(Doors, Asked(method="GET", path="/doors"))
