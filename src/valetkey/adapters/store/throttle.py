"""Counters of failed logins in the store: durable, so that a restart forgives nothing."""

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from valetkey.adapters.store.schema import throttle_secret, throttle_total
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.throttle import ThrottleCounts

_EVERYWHERE = ""


class ThrottleReader(Transaction):
    """What can be read of failures."""

    def throttle_counts(self, window: int, network: str, secret_key: bytes) -> ThrottleCounts:
        """Give what was counted in a window: distinct secrets from the network and overall, repeats of this secret."""
        statement = select(throttle_total.c.network, throttle_total.c.secrets).where(
            throttle_total.c.window == window, throttle_total.c.network.in_((network, _EVERYWHERE))
        )
        totals = {row[0]: row[1] for row in self._rows(statement)}
        repeats = select(throttle_secret.c.failures).where(
            throttle_secret.c.window == window,
            throttle_secret.c.network == network,
            throttle_secret.c.secret_key == secret_key,
        )
        return ThrottleCounts(totals.get(network, 0), int(self._value(repeats) or 0), totals.get(_EVERYWHERE, 0))


class ThrottleWriter(ThrottleReader):
    """Counts failures."""

    def count_failure(self, window: int, network: str, secret_key: bytes) -> None:
        """Count a failure. A secret that failed before in this window only adds to its own repeats."""
        counted = upsert(throttle_secret).values(window=window, network=network, secret_key=secret_key, failures=1)
        repeats = counted.on_conflict_do_update(
            index_elements=["window", "network", "secret_key"],
            set_={"failures": throttle_secret.c.failures + 1},
        )
        if self._value(repeats.returning(throttle_secret.c.failures)) == 1:
            self._count_total(window, network)
            self._count_total(window, _EVERYWHERE)

    def forget_failures(self, before_window: int) -> None:
        """Remove the counters of windows that are over."""
        self._affected(delete(throttle_secret).where(throttle_secret.c.window < before_window))
        self._affected(delete(throttle_total).where(throttle_total.c.window < before_window))

    def _count_total(self, window: int, network: str) -> None:
        counted = upsert(throttle_total).values(window=window, network=network, secrets=1)
        more = {"secrets": throttle_total.c.secrets + 1}
        self._affected(counted.on_conflict_do_update(index_elements=["window", "network"], set_=more))
