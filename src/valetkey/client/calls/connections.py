"""Operations: connections."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from valetkey.client.connection import Asked, Connection
from valetkey.client.models.connections import Connections, Servers


class ConnectionsCalls(Connection):
    """Operations: connections."""

    def list_account_connections(self, account_id: str) -> Connections:
        """The open mail connections of an account."""
        return self._ask(
            Connections,
            Asked(method="GET", path="/accounts/{account_id}/connections", names={"account_id": account_id}),
        )

    def list_connections(self) -> Connections:
        """Everybody's open mail connections."""
        return self._ask(Connections, Asked(method="GET", path="/connections"))

    def close_connection(self, connection_id: str) -> None:
        """Close one."""
        self._ask_nothing(
            Asked(method="DELETE", path="/connections/{connection_id}", names={"connection_id": connection_id})
        )

    def list_servers(self) -> Servers:
        """The mail servers and how they stand."""
        return self._ask(Servers, Asked(method="GET", path="/servers"))
