"""Login names: the short way that plain ASCII takes gives what the PRECIS profile gives."""

from hypothesis import given
from hypothesis import strategies as st
from precis_i18n import get_profile

from valetkey.core.account import canonical_login_name
from valetkey.core.errors import InvalidInput

PROFILE = get_profile("UsernameCaseMapped")
ASCII = st.text(st.characters(min_codepoint=0, max_codepoint=127, exclude_characters="@"), min_size=1, max_size=30)


def by_profile(local: str) -> str | None:
    try:
        return str(PROFILE.enforce(local)) + "@example.org"
    except (UnicodeError, ValueError):
        return None


def by_us(local: str) -> str | None:
    try:
        return canonical_login_name(f"{local}@example.org")
    except InvalidInput:
        return None


def test_every_ascii_character_is_mapped_as_the_profile_maps_it():
    for code in range(128):
        if chr(code) != "@":
            local = f"x{chr(code)}Y"
            assert by_us(local) == by_profile(local)


@given(ASCII)
def test_an_ascii_name_is_mapped_as_the_profile_maps_it(local: str):
    local = f"x{local}"  # white space around a whole name is dropped before
    assert by_us(local) == by_profile(local)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x17F, exclude_characters="@"), max_size=20))
def test_a_name_with_other_letters_goes_through_the_profile(rest: str):
    local = f"é{rest}"
    assert by_us(local) == by_profile(local)
