"""Chance from the operating system's cryptographic generator."""

import secrets

_ID_SYMBOLS = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 section 6, lower case
_ID_LENGTH = 16  # 80 bits: two ids never meet


class SystemEntropy:
    """Fulfils `service.ports.Entropy`."""

    def choose(self, symbols: str) -> str:
        """Pick one symbol, each as likely as the others."""
        return secrets.choice(symbols)

    def octets(self, count: int) -> bytes:
        """Draw random octets."""
        return secrets.token_bytes(count)

    def new_id(self, prefix: str) -> str:
        """Draw a public id: the prefix, an underscore and 80 random bits in base32."""
        return f"{prefix}_{''.join(secrets.choice(_ID_SYMBOLS) for _ in range(_ID_LENGTH))}"
