"""The door for RADIUS clients, PAM among them."""
