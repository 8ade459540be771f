"""How much is done: the usual, quick, or large."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """Sizes of one run. Times are in seconds."""

    app_passwords: int = 200_000  # in the store
    decisions: int = 120_000
    login_seconds: float = 3.0  # of each server and kind of connection
    rounds: int = 3  # the servers take turns
    relay_seconds: float = 2.0  # of each server, kind of connection, and load
    sessions: int = 2_000  # idle ones
    people: int = 500  # with an account, where pages are measured
    page_loads: int = 200  # of each page
    door_seconds: float = 4.0  # of each server that asks, or is asked


USUAL = Effort()
QUICK = Effort(
    app_passwords=60_000,
    decisions=24_000,
    login_seconds=0.8,
    rounds=1,
    relay_seconds=0.6,
    sessions=300,
    people=50,
    page_loads=30,
    door_seconds=1.5,
)
