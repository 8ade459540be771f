"""The door for Cyrus SASL: saslauthd's socket."""
