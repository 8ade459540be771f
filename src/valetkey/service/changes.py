"""Following the change feed, so that live sessions end when what they stand on does."""

from valetkey.service.ports import Change, Store


class Follower:
    """Follows the change feed of a store from the moment that it is made."""

    def __init__(self, store: Store) -> None:
        self.position = store.change_number()
        self._store = store

    def poll(self) -> tuple[Change, ...]:
        """Give what changed since the last time, oldest first. Microseconds while nothing does.

        A feed that went back (the store was put back from a copy) gives one change without an account: anything may
        have changed.

        Raises:
            Unavailable: The store failed; the position stays, so that nothing is missed.
        """
        newest = self._store.change_number()
        if newest == self.position:
            return ()
        if newest < self.position:
            self.position = newest
            return (Change(newest, None),)
        found = self._store.changes(self.position)
        if found:
            self.position = found[-1].number
        return found
