"""The door for what asks by RADIUS: PAM, appliances, other RADIUS servers."""
