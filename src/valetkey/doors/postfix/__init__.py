"""The doors for Postfix beside SASL: its policy service and socketmap."""
