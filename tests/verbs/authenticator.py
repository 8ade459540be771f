"""An authenticator in software (Web Authentication Level 3, section 6), which can be told to do wrong."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


def text_of(octets: bytes) -> str:
    """Write octets as base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def octets_of(text: str) -> bytes:
    """Read base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class SoftAuthenticator:
    """One passkey, of one account at one place. What it answers is what a browser would put into the form."""

    verifies_user: bool = True
    counts: bool = True
    origin: str = "https://portal.example.org"
    rp_id: str = ""  # "" is what the options say
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = b"\x07" * 16
    handle: bytes | None = None
    count: int = 0

    def create(self, options: str) -> str:
        """Answer creation options."""
        wanted = json.loads(options)
        self.handle = octets_of(wanted["user"]["id"])
        data = self._data(wanted["rp"]["id"], _ATTESTED) + self._attested()
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", wanted["challenge"])
        return self._answer({"clientDataJSON": client, "attestationObject": attestation}, transports=["internal"])

    def get(self, options: str, **wrong: Any) -> str:
        """Answer request options; `wrong` replaces what is said: challenge, kind, handle, signature, credential_id."""
        wanted = json.loads(options)
        data = self._data(wanted["rpId"])
        client = self._client(wrong.get("kind", "webauthn.get"), wrong.get("challenge", wanted["challenge"]))
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": client,
            "authenticatorData": data,
            "signature": wrong.get("signature", signed),
        }
        handle = wrong.get("handle", self.handle)
        if handle is not None:
            response["userHandle"] = handle
        return self._answer(response, credential_id=wrong.get("credential_id"))

    def _data(self, rp_id: str, more: int = 0) -> bytes:
        self.count += 1 if self.counts else 0
        flags = _PRESENT | (_VERIFIED if self.verifies_user else 0) | more
        return hashlib.sha256((self.rp_id or rp_id).encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _attested(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        return bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(cose)

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _answer(
        self, response: dict[str, bytes], *, transports: list[str] | None = None, credential_id: bytes | None = None
    ) -> str:
        own = text_of(credential_id or self.credential_id)
        told: dict[str, Any] = {name: text_of(value) for name, value in response.items()}
        if transports is not None:
            told["transports"] = transports
        return json.dumps({"id": own, "rawId": own, "type": "public-key", "response": told})
