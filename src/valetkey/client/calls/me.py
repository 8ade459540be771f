"""Operations: me."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from collections.abc import Iterator

from valetkey.client.connection import Asked, Connection
from valetkey.client.models.me import (
    Audit,
    Me,
    NoticeAddress,
    ReadyMadeList,
    Session,
    SessionPage,
    SharedAccounts,
    SignInPage,
)


class MeCalls(Connection):
    """Operations: me."""

    def get_me(self) -> Me:
        """Who this token acts for, and what it may do."""
        return self._ask(Me, Asked(method="GET", path="/me"))

    def list_shared_accounts(self) -> SharedAccounts:
        """The shared accounts that one owns."""
        return self._ask(SharedAccounts, Asked(method="GET", path="/me/shared-accounts"))

    def list_sessions(self, *, limit: int = 50, cursor: str | None = None) -> SessionPage:
        """The browsers that are signed in to one's account.

        They are ended in the portal only.
        """
        return self._ask(
            SessionPage, Asked(method="GET", path="/me/sessions", query={"limit": limit, "cursor": cursor})
        )

    def each_of_sessions(self, *, limit: int = 50) -> Iterator[Session]:
        """Go through all pages of `list_sessions`."""
        return self._each(lambda cursor: self.list_sessions(limit=limit, cursor=cursor))

    def list_sign_ins(self, *, limit: int = 50, cursor: str | None = None) -> SignInPage:
        """Who came into one's account in the portal, and who was turned away."""
        return self._ask(SignInPage, Asked(method="GET", path="/me/sign-ins", query={"limit": limit, "cursor": cursor}))

    def each_of_sign_ins(self, *, limit: int = 50) -> Iterator[Audit]:
        """Go through all pages of `list_sign_ins`."""
        return self._each(lambda cursor: self.list_sign_ins(limit=limit, cursor=cursor))

    def get_notice_address(self) -> NoticeAddress:
        """Where notices go beside the mailbox; it changes in person only."""
        return self._ask(NoticeAddress, Asked(method="GET", path="/me/notice-address"))

    def list_ready_made(self) -> ReadyMadeList:
        """The ready-made choices for an app password."""
        return self._ask(ReadyMadeList, Asked(method="GET", path="/ready-made"))
