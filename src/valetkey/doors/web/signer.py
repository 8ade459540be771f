"""What signs the profiles for Apple's devices; the front hall hands one in."""

from enum import StrEnum
from typing import Protocol


class Trust(StrEnum):
    """How a device takes a signature."""

    PUBLIC = "public"  # by a certificate of an authority that devices know
    LOCAL = "local"  # by this installation's own authority, which most devices do not know
    NONE = "none"  # there is no certificate that can sign


class Signer(Protocol):
    """Signs a document."""

    @property
    def trust(self) -> Trust:
        """Say what a device will think of the signature."""

    def sign(self, document: bytes) -> bytes:
        """Give the document inside a CMS signature (RFC 5652), DER; as it was if it cannot be signed now."""


class NoSigner:
    """Leaves documents as they are."""

    trust = Trust.NONE

    def sign(self, document: bytes) -> bytes:
        """Give the document back."""
        return document
