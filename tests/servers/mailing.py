"""A message sent word by word, in an SMTP dialogue."""

from tests.servers.dialogue import Dialogue
from tests.servers.people import ALICE


def send(talk: Dialogue, *recipients: str, sender: str = ALICE.address) -> str:
    """Send a message and give the first answer that refuses, or the last; what was refused is forgotten (RSET)."""
    for line in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients), "DATA"):
        answer = talk.smtp(line)[-1]
        if not answer.startswith(("250", "354")):
            talk.smtp("RSET")
            return answer
    answer = talk.smtp("Subject: hello\r\n\r\nHello.\r\n.")[-1]
    if not answer.startswith("250"):
        talk.smtp("RSET")  # Postfix forgets the transaction only when it is told to
    return answer
