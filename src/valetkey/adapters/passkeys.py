"""Passkeys, by py_webauthn: the options for browsers, and the verification of what authenticators answer."""

from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_attestation_object,
    parse_authentication_credential_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from valetkey.core.errors import InvalidInput
from valetkey.core.passkey import Passkey
from valetkey.service.sign_in_parts import Assertion, Claim, NewCredential, RelyingParty

_TIMEOUT_MS = 300_000
_MAX_ANSWER = 16 * 1024  # characters; answers without attestation are a few hundred to three thousand
_MAX_CREDENTIAL = 1023  # octets (Web Authentication section 4, "Credential ID")
_MAX_PUBLIC_KEY = 2048  # octets
# What the library lets through of its parsers' faults, on what strangers wrote.
_FAULTS = (
    WebAuthnException,
    UnsupportedAlgorithm,
    InvalidSignature,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
_NOT_RIGHT = "This passkey was not accepted. Try it again, or use another way."


class WebAuthn:
    """Fulfils `service.sign_in_parts.Passkeys`."""

    def creation_options(
        self, party: RelyingParty, *, challenge: bytes, handle: bytes, address: str, known: Sequence[Passkey]
    ) -> str:
        """Give the options for a new passkey; those that are known already are not made again.

        No attestation is asked for: which make an authenticator is decides nothing here, and people keep that private.
        """
        return options_to_json(
            generate_registration_options(
                rp_id=party.id,
                rp_name=party.name,
                user_id=handle,
                user_name=address,
                challenge=challenge,
                timeout=_TIMEOUT_MS,
                attestation=AttestationConveyancePreference.NONE,
                authenticator_selection=AuthenticatorSelectionCriteria(
                    resident_key=ResidentKeyRequirement.PREFERRED,
                    user_verification=UserVerificationRequirement.PREFERRED,
                ),
                exclude_credentials=_descriptors(known),
            )
        )

    def request_options(
        self, party: RelyingParty, *, challenge: bytes, allowed: Sequence[Passkey], needs_user_verified: bool
    ) -> str:
        """Give the options for using a passkey: one of those allowed, or with none, any that the browser finds."""
        wanted = UserVerificationRequirement.REQUIRED if needs_user_verified else UserVerificationRequirement.PREFERRED
        return options_to_json(
            generate_authentication_options(
                rp_id=party.id,
                challenge=challenge,
                timeout=_TIMEOUT_MS,
                allow_credentials=_descriptors(allowed),
                user_verification=wanted,
            )
        )

    def register(self, answer: str, party: RelyingParty, *, challenge: bytes) -> NewCredential:
        """Verify the answer to creation options (section 7.1).

        Raises:
            InvalidInput: It does not hold.
        """
        _bounded(answer)
        try:
            credential = parse_registration_credential_json(answer)
            _require_no_certificates(credential.response.attestation_object)
            done = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=party.id,
                expected_origin=party.origin,
            )
            decoded_public_key_to_cryptography(decode_credential_public_key(done.credential_public_key))
        except _FAULTS:
            raise InvalidInput("answer", _NOT_RIGHT) from None
        if not 1 <= len(done.credential_id) <= _MAX_CREDENTIAL or len(done.credential_public_key) > _MAX_PUBLIC_KEY:
            raise InvalidInput("answer", _NOT_RIGHT)
        return NewCredential(
            done.credential_id,
            done.credential_public_key,
            done.sign_count,
            tuple(transport.value for transport in credential.response.transports or ()),
            done.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        )

    def claim(self, answer: str) -> Claim:
        """Read which passkey an answer is from.

        Raises:
            InvalidInput: It cannot be read.
        """
        _bounded(answer)
        try:
            credential = parse_authentication_credential_json(answer)
        except _FAULTS:
            raise InvalidInput("answer", _NOT_RIGHT) from None
        return Claim(credential.raw_id, credential.response.user_handle or None)

    def verify(self, answer: str, party: RelyingParty, *, challenge: bytes, public_key: bytes) -> Assertion:
        """Verify the answer to request options (section 7.2), but for the counter, which the store holds.

        Raises:
            InvalidInput: It does not hold.
        """
        _bounded(answer)
        try:
            done = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=party.id,
                expected_origin=party.origin,
                credential_public_key=public_key,
                credential_current_sign_count=0,
            )
        except _FAULTS:
            raise InvalidInput("answer", _NOT_RIGHT) from None
        return Assertion(done.new_sign_count, done.user_verified)


def _require_no_certificates(attestation: bytes) -> None:
    # None was asked for, so browsers send none, or what the new key signed itself; nothing else is parsed.
    statement = parse_attestation_object(attestation)
    is_own = statement.fmt == AttestationFormat.PACKED and not statement.att_stmt.x5c
    if statement.fmt != AttestationFormat.NONE and not is_own:
        raise InvalidInput("answer", _NOT_RIGHT)


def _bounded(answer: str) -> None:
    if len(answer) > _MAX_ANSWER:
        raise InvalidInput("answer", _NOT_RIGHT)


def _descriptors(passkeys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=passkey.credential_id,
            transports=[_TRANSPORTS[name] for name in passkey.transports if name in _TRANSPORTS] or None,
        )
        for passkey in passkeys
    ]


_TRANSPORTS = {transport.value: transport for transport in AuthenticatorTransport}
