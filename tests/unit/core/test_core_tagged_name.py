import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.core.account import canonical_or_nobodys
from valetkey.core.tagged_name import tagged, untagged

ID = "ap_abcdefgh234567aa"


@pytest.mark.parametrize("address", ["alice@example.org", "a/app:ap_aaaaaaaaaaaaaaaa@example.org", "ü@xn--4ca.example"])
def test_there_and_back(address):
    assert untagged(tagged(address, ID)) == (address, ID)
    assert untagged(tagged(address, None)) == (address, None)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "alice",
        f"/app:{ID}",
        f"alice/app:{ID}x",
        f"alice/app:{ID[:-1]}",
        f"alice/APP:{ID}",
        f"alice/app:{ID}\n",
        "a/app:",
    ],
)
def test_what_is_no_tag_stays(name):
    assert untagged(name) == (name, None)


@given(st.text(max_size=60))
def test_no_address_reads_as_tagged(name):
    """Or the main password's login of one account would pass for an app password of another."""
    address = canonical_or_nobodys(name + "@example.org")
    assert untagged(address) == (address, None)
