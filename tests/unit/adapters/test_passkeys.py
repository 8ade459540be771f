"""What authenticators answer, as it should be and as strangers might write it."""

import contextlib
import json
import os
from typing import Any

import cbor2
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.verbs.authenticator import SoftAuthenticator, octets_of, text_of

from valetkey.adapters.passkeys import WebAuthn
from valetkey.core.errors import InvalidInput
from valetkey.service.sign_in_parts import RelyingParty

PARTY = RelyingParty("portal.example.org", "https://portal.example.org", "Valetkey")
CHALLENGE = b"c" * 32
WEBAUTHN = WebAuthn()


def registration(device: SoftAuthenticator) -> dict[str, Any]:
    options = WEBAUTHN.creation_options(PARTY, challenge=CHALLENGE, handle=b"ac_a", address="a@example.org", known=())
    found: dict[str, Any] = json.loads(device.create(options))
    return found


DEVICE = SoftAuthenticator()
MADE = registration(DEVICE)
NEW = WEBAUTHN.register(json.dumps(MADE), PARTY, challenge=CHALLENGE)
OPTIONS = WEBAUTHN.request_options(PARTY, challenge=CHALLENGE, allowed=(), needs_user_verified=False)
USED: dict[str, Any] = json.loads(DEVICE.get(OPTIONS))


def verify(answer: str) -> None:
    WEBAUTHN.verify(answer, PARTY, challenge=CHALLENGE, public_key=NEW.public_key)


def test_options_say_what_was_decided() -> None:
    options = json.loads(
        WEBAUTHN.creation_options(PARTY, challenge=CHALLENGE, handle=b"ac_a", address="a@example.org", known=())
    )
    assert options["attestation"] == "none"
    assert options["rp"] == {"id": "portal.example.org", "name": "Valetkey"}
    assert octets_of(options["challenge"]) == CHALLENGE
    assert options["authenticatorSelection"]["residentKey"] == "preferred"
    verify(json.dumps(USED))


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
@given(where=st.integers(0, 400), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_no_bit_of_an_answer_may_be_another(part: str, where: int, bit: int) -> None:
    octets = bytearray(octets_of(USED["response"][part]))
    octets[where % len(octets)] ^= 1 << bit
    wrong = {**USED, "response": {**USED["response"], part: text_of(bytes(octets))}}
    with pytest.raises(InvalidInput):
        verify(json.dumps(wrong))


@given(cut=st.integers(0, 300), more=st.binary(max_size=40))
@settings(max_examples=80, deadline=None)
def test_what_is_cut_or_longer_is_refused_and_nothing_else_happens(cut: int, more: bytes) -> None:
    octets = octets_of(USED["response"]["authenticatorData"])
    wrong = octets[: min(cut, len(octets) - 1)] + more
    assume(wrong != octets)
    with pytest.raises(InvalidInput):
        verify(json.dumps({**USED, "response": {**USED["response"], "authenticatorData": text_of(wrong)}}))
    octets = octets_of(MADE["response"]["attestationObject"])
    wrong = octets[: min(cut, len(octets) - 1)] + more
    text = json.dumps({**MADE, "response": {**MADE["response"], "attestationObject": text_of(wrong)}})
    with contextlib.suppress(InvalidInput):  # nothing signs a registration, so another name or key may stand there
        WEBAUTHN.register(text, PARTY, challenge=CHALLENGE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(value=JSON, field=st.sampled_from(["id", "rawId", "type", "response", "authenticatorAttachment"]))
@settings(max_examples=120, deadline=None)
def test_whatever_json_says_it_is_an_answer_or_refused(value: Any, field: str) -> None:
    for answer in (MADE, USED):
        text = json.dumps({**answer, field: value})
        for read in (WEBAUTHN.claim, verify, lambda text: WEBAUTHN.register(text, PARTY, challenge=CHALLENGE)):
            with contextlib.suppress(InvalidInput):
                read(text)


@given(
    key=st.dictionaries(
        st.sampled_from([1, 3, -1, -2, -3]) | st.integers(-9, 9),
        st.integers(-300, 300) | st.binary(max_size=40) | st.text(max_size=4) | st.none(),
        max_size=6,
    )
)
@settings(max_examples=150, deadline=None)
def test_a_public_key_is_one_or_refused(key: dict[int, Any]) -> None:
    attestation = cbor2.loads(octets_of(MADE["response"]["attestationObject"]))
    data = attestation["authData"]
    attestation["authData"] = data[: 37 + 16 + 2 + 16] + cbor2.dumps(key)
    text = text_of(cbor2.dumps(attestation))
    with pytest.raises(InvalidInput):
        WEBAUTHN.register(
            json.dumps({**MADE, "response": {**MADE["response"], "attestationObject": text}}), PARTY, challenge=b"other"
        )
    try:
        made = WEBAUTHN.register(
            json.dumps({**MADE, "response": {**MADE["response"], "attestationObject": text}}),
            PARTY,
            challenge=CHALLENGE,
        )
    except InvalidInput:
        return
    with pytest.raises(InvalidInput):
        WEBAUTHN.verify(json.dumps(USED), PARTY, challenge=CHALLENGE, public_key=made.public_key)


@pytest.mark.parametrize("kind", ["tpm", "android-key", "android-safetynet", "fido-u2f", "apple", "other", "packed"])
def test_certificates_are_not_looked_at(kind: str) -> None:
    attestation = cbor2.loads(octets_of(MADE["response"]["attestationObject"]))
    attestation["fmt"] = kind
    attestation["attStmt"] = {"x5c": [os.urandom(40)], "sig": b"s", "alg": -7, "ver": "2.0", "response": b"x"}
    text = text_of(cbor2.dumps(attestation))
    with pytest.raises(InvalidInput):
        WEBAUTHN.register(
            json.dumps({**MADE, "response": {**MADE["response"], "attestationObject": text}}),
            PARTY,
            challenge=CHALLENGE,
        )


def test_what_is_kept_of_a_new_one() -> None:
    assert NEW.credential_id == DEVICE.credential_id
    assert NEW.transports == ("internal",)
    assert not NEW.is_synced
