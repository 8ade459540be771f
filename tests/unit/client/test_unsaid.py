"""A change sends what it says and nothing else: left out means that it stays, None that it is lifted."""

from valetkey.client import models
from valetkey.client.decoding import encode


def test_what_is_not_said_is_not_sent() -> None:
    change = models.RestrictionsChange(idle_for=None, limits=models.LimitsChange(messages_per_day=5, folders=()))
    assert encode(change) == {"idle_for": None, "limits": {"messages_per_day": 5, "folders": []}}
    assert encode(models.RestrictionsChange()) == {}
    assert encode(models.RestrictionsChange(limits=None)) == {"limits": None}
