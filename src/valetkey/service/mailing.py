"""Sending notices by mail: what the verbs queued is sent from here, tried again, and given up after three days."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from valetkey.core.errors import Refused, Unavailable
from valetkey.core.notice import WITH_LINK, NoticeKind, notice_text
from valetkey.core.sentence import Sentence, say
from valetkey.service.mail_parts import Mail, Mailer
from valetkey.service.notices import unseal_token
from valetkey.service.ports import Ports
from valetkey.service.store_parts import QueuedNotice

_log = structlog.get_logger("valetkey.mailing")

GIVE_UP_AFTER = timedelta(days=3)
_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=4)
_MOST_DOUBLINGS = 10
_WIDTH = 72
_FOOT = say("{site} writes this by itself and reads no answers. The portal: {portal}")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """In whose name notices are sent, and in which language."""

    portal: str  # its web address
    site: str
    speak: Callable[[Sentence], str] = str


async def send_due(ports: Ports, mailer: Mailer | None, letterhead: Letterhead) -> int:
    """Send the notices whose time has come; give how many were sent. Without a mailer none is kept.

    What a server refuses is tried again later, each time after twice as long, for three days. When no server answers,
    the rest waits for the next call.

    Raises:
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    if mailer is None:
        if await ports.store.read(lambda reader: reader.due_notices(now, limit=1)):
            await ports.store.write(lambda writer: writer.remove_notices())
        return 0
    sent = 0
    for notice in await ports.store.read(lambda reader: reader.due_notices(now)):
        about = await _address_of(ports, notice)
        try:
            await mailer.send(_mail_of(ports, letterhead, notice, about))
        except Refused as refusal:
            await _put_off(ports, notice, now, str(refusal))
        except Unavailable as trouble:
            await _put_off(ports, notice, now, str(trouble))
            break
        else:
            sent += 1
            await _remove(ports, notice)
    return sent


async def _address_of(ports: Ports, notice: QueuedNotice) -> str:
    account = await ports.store.read(lambda reader: reader.account(notice.account_id))
    return account.address if account else notice.account_id


def _mail_of(ports: Ports, letterhead: Letterhead, notice: QueuedNotice, account: str) -> Mail:
    """Write the mail of a notice.

    Raises:
        Refused: It cannot be written: another version queued it, or its key is gone.
    """
    try:
        kind = NoticeKind(notice.kind)
        link = ""
        if notice.sealed is not None:
            link = letterhead.portal + WITH_LINK[kind] + unseal_token(ports, notice.account_id, kind, notice.sealed)
        said = notice_text(kind, notice.facts, account=account, at=notice.made_at, portal=letterhead.portal, link=link)
        paragraphs = [_wrapped(letterhead.speak(one)) for one in said.paragraphs]
    except (ValueError, KeyError, Unavailable) as fault:
        raise Refused("This notice cannot be written: {fault}", fault=type(fault).__name__) from None
    foot = Sentence(_FOOT.message, {"site": letterhead.site, "portal": letterhead.portal})
    return Mail(
        recipient=notice.recipient,
        subject=letterhead.speak(said.subject),
        text="\n\n".join([*paragraphs, "-- \n" + _wrapped(letterhead.speak(foot))]) + "\n",
        date=notice.made_at,
        id=f"notice.{notice.id}.{int(notice.made_at.timestamp() * 1_000_000)}",
    )


async def _put_off(ports: Ports, notice: QueuedNotice, now: datetime, why: str) -> None:
    facts = {"notice": notice.id, "kind": notice.kind, "account": notice.account_id, "why": why}
    if now - notice.made_at >= GIVE_UP_AFTER:
        _log.error("notice_given_up", **facts)
        await _remove(ports, notice)
        return
    wait = min(_FIRST_WAIT * 2 ** min(notice.tries, _MOST_DOUBLINGS), _LONGEST_WAIT)
    _log.warning("notice_put_off", tries=notice.tries + 1, **facts)
    await ports.store.write(lambda writer: writer.put_off_notice(notice.id, now + wait))


async def _remove(ports: Ports, notice: QueuedNotice) -> None:
    await ports.store.write(lambda writer: writer.remove_notice(notice.id))


def _wrapped(text: str) -> str:
    lines = text.split("\n")
    wrap = {"width": _WIDTH, "break_long_words": False, "break_on_hyphens": False}
    return "\n".join("\n".join(textwrap.wrap(line, **wrap)) if line else "" for line in lines)  # type: ignore[arg-type]
