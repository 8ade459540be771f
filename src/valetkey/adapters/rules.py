"""The site's rules: from the store once the console has saved them, until then from the configuration file."""

import structlog

from valetkey.core.errors import InvalidInput, Unavailable
from valetkey.core.network import NamedNetworks, networks_from
from valetkey.core.policy import Policy, policy_from
from valetkey.service.ports import SiteRules, Store
from valetkey.service.store_parts import SavedRules

_log = structlog.get_logger("valetkey.rules")

_UNREADABLE = "The saved policy cannot be read. On the server, `valetkey policy reset` takes the configuration file's."


class StoredRules:
    """What the console saved last, in each process from the next decision on; fulfils `ports.Rules`."""

    def __init__(self, store: Store, policy: Policy, networks: NamedNetworks) -> None:
        """Take the rules of the configuration file, which hold until the console saves others."""
        self._store = store
        self._file = SiteRules(policy, networks)
        self._read = (SavedRules(None, None), self._file)

    def current(self, as_of: int | None = None) -> SiteRules:
        """Give the rules as they hold now. Microseconds, from any thread.

        Args:
            as_of: The change number that the caller has just read, which spares a look-up.

        Raises:
            Unavailable: The store failed, or what it holds cannot be read: never a looser policy instead.
        """
        saved = self._store.saved_rules(as_of)
        before, rules = self._read
        if saved is not before:
            rules = self._parsed(saved)
            self._read = (saved, rules)
        return rules

    def _parsed(self, saved: SavedRules) -> SiteRules:
        try:
            return rules_from(saved, self._file)
        except (ValueError, TypeError, AttributeError, InvalidInput) as fault:
            _log.error("saved_rules_unreadable", why=str(fault))
            raise Unavailable(_UNREADABLE) from None


def rules_from(saved: SavedRules, file: SiteRules) -> SiteRules:
    """Give the rules that hold with these saved ones, each part from the file that was not saved.

    Raises:
        ValueError, InvalidInput: They cannot be read.
    """
    policy = file.policy if saved.policy is None else policy_from(saved.policy, file.policy)
    networks = file.networks if saved.networks is None else networks_from(saved.networks)
    return SiteRules(policy, networks)
