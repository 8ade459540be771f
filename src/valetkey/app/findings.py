"""How the checks of `valetkey check` say what they found."""

from valetkey.doors.cli.front import Finding, Level


def good(subject: str, what: str) -> Finding:
    """Say that something is right."""
    return Finding(Level.GOOD, subject, what)


def warning(subject: str, what: str, mend: str) -> Finding:
    """Say that something should be looked at."""
    return Finding(Level.WARNING, subject, what, mend)


def problem(subject: str, what: str, mend: str = "") -> Finding:
    """Say that something is wrong."""
    return Finding(Level.PROBLEM, subject, what, mend)
