"""The demo's POP3 server, on loopback, over the sample people's inboxes (RFC 1939, RFC 2449, RFC 5034)."""

from pathlib import Path

from valetkey.demo.conversation import Conversation
from valetkey.demo.maildir import messages

_CAPABILITIES = ("TOP", "UIDL", "USER", "SASL PLAIN", "PIPELINING", "RESP-CODES", "IMPLEMENTATION Valetkey-demo")


class Pop3(Conversation):
    """One POP3 connection: the inbox as it was at the login; what is deleted goes at QUIT."""

    _name = ""
    _inbox: tuple[tuple[str, Path], ...] = ()
    _deleted: frozenset[int] = frozenset()

    def greet(self) -> None:
        """Say what a server says first."""
        self.say("+OK Valetkey demo")

    async def obey(self, command: str, argument: str) -> None:
        """Answer one command."""
        match command:
            case "CAPA":
                self.say("+OK", *_CAPABILITIES, ".")
            case "QUIT":
                self._leave()
            case "NOOP":
                self.say("+OK")
            case _ if self.user is None:
                await self._before_login(command, argument)
            case "STAT":
                sizes = [path.stat().st_size for _, (_, path) in self._listed()]
                self.say(f"+OK {len(sizes)} {sum(sizes)}")
            case "LIST" | "UIDL":
                self._list(command, argument)
            case "RETR" | "TOP":
                self._retrieve(argument, is_top=command == "TOP")
            case "DELE" if (number := self._number(argument)) is not None:
                self._deleted |= {number}
                self.say("+OK Deleted at QUIT")
            case "RSET":
                self._deleted = frozenset()
                self.say("+OK")
            case _:
                self.say("-ERR No such command or message")

    async def _before_login(self, command: str, argument: str) -> None:
        is_right = False
        if command == "USER":
            self._name = argument
            self.say("+OK")
            return
        if command == "PASS":
            is_right = self.check(self._name, argument)
        elif command == "AUTH" and argument.upper().startswith("PLAIN"):
            is_right = await self.check_plain(argument[5:].strip(), "+ ")
        if is_right and self.user is not None:
            self._inbox = tuple(messages(self._mail / self.user))
            self.say("+OK Welcome")
        else:
            self.say("-ERR [AUTH] Log in first, with the right name and password")

    def _leave(self) -> None:
        for number in self._deleted:
            self._inbox[number - 1][1].unlink(missing_ok=True)
        self.say("+OK Goodbye")
        self.is_over = True

    def _listed(self) -> list[tuple[int, tuple[str, Path]]]:
        numbered = enumerate(self._inbox, 1)
        return [(n, entry) for n, entry in numbered if n not in self._deleted and entry[1].exists()]

    def _number(self, argument: str) -> int | None:
        word = argument.partition(" ")[0]
        number = int(word) if word.isascii() and word.isdigit() else 0
        return number if number in {n for n, _ in self._listed()} else None

    def _list(self, command: str, argument: str) -> None:
        facts = {n: name if command == "UIDL" else str(path.stat().st_size) for n, (name, path) in self._listed()}
        if not argument:
            self.say("+OK", *(f"{n} {fact}" for n, fact in facts.items()), ".")
        elif (number := self._number(argument)) is not None:
            self.say(f"+OK {number} {facts[number]}")
        else:
            self.say("-ERR No such message")

    def _retrieve(self, argument: str, *, is_top: bool) -> None:
        number = self._number(argument)
        if number is None:
            self.say("-ERR No such message")
            return
        lines = self._inbox[number - 1][1].read_bytes().replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
        wanted = argument.partition(" ")[2].strip()
        if is_top and wanted.isascii() and wanted.isdigit() and b"" in lines:
            lines = lines[: lines.index(b"") + 1 + int(wanted)]
        self.say("+OK")
        self.send(b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n")
