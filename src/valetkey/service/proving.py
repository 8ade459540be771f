"""Proving identity again, before something sensitive: lasts five minutes (`authority.PROOF_LASTS`)."""

from dataclasses import dataclass, field

from valetkey.core.errors import NotAllowed, Refused
from valetkey.core.second_factor import canonical_code
from valetkey.core.sentence import say
from valetkey.service import passkey_ceremonies, portal_sessions
from valetkey.service.codes import CodeOutcome, record_refused, refusal, try_recovery_code, try_totp
from valetkey.service.main_passwords import Tried
from valetkey.service.passkey_ceremonies import Answer, PasskeyOutcome, Purpose
from valetkey.service.portal_passwords import right_password
from valetkey.service.portal_sessions import AGAIN, still_active
from valetkey.service.ports import PortalSession, Ports, Writer
from valetkey.service.sign_in import NextStep, SignedIn, Started, current
from valetkey.service.tokens import find_session, new_token

_NEITHER = say("The password or the code is not right.")
_PASSWORD_TOO = say("This passkey did not check that it is you: enter your main password, and use the passkey again.")


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody gives as proof: the password and a code, or a passkey, with the password if it needs one."""

    password: str = field(default="", repr=False)
    code: str = field(default="", repr=False)  # one-time or recovery
    passkey: Answer | None = field(default=None, repr=False)


async def prove_again(ports: Ports, token: str, proof: Proof, *, address: str) -> Started:
    """Prove identity again. The session gets a new token.

    A passkey that has verified its user is enough by itself, another one needs the main password beside it. Else it is
    the main password with a one-time or recovery code; an account without a second factor proves itself with its
    password. Failures are counted where they come from, which need not be where the session began.

    Raises:
        NotAllowed: Not signed in.
        Refused: It was not proven (whether password or code is wrong is not told), or there were too many tries.
        Unavailable: The store or the hasher failed.
    """
    signed_in = await current(ports, token)
    if signed_in is None or not signed_in.is_complete:
        raise NotAllowed(AGAIN)
    if proof.passkey is not None:
        return await _by_passkey(ports, token, signed_in, proof.passkey, proof.password, address=address)
    _, tried = await right_password(ports, signed_in.account.address, proof.password, address=address, wrong=_NEITHER)
    now = ports.clock.now()
    fresh = new_token(ports)

    def renew(writer: Writer) -> PortalSession | CodeOutcome:
        session = _session(ports, writer, token)
        _require_still(writer, tried)
        if still_active(writer, session.account_id).has_second_factor:
            attempt = try_totp if canonical_code(proof.code) is not None else try_recovery_code
            outcome = attempt(ports, writer, session.account_id, proof.code, now)
            if outcome is not CodeOutcome.RIGHT:
                record_refused(writer, session.account_id, outcome, address, now)
                return outcome
        return portal_sessions.renew(ports, writer, session, fresh, now)

    result = await ports.store.write(renew)
    if isinstance(result, CodeOutcome):
        raise Refused(_NEITHER) if result is CodeOutcome.WRONG else refusal(result)
    return _started(fresh, result)


async def _by_passkey(
    ports: Ports, token: str, signed_in: SignedIn, answer: Answer, password: str, *, address: str
) -> Started:
    account = signed_in.account
    examined = await passkey_ceremonies.examine(
        ports, answer, Purpose.PROVE_AGAIN, account_id=account.id, binding=signed_in.session.csrf
    )
    tried = None
    if not examined.assertion.is_user_verified:
        if not password:
            raise Refused(_PASSWORD_TOO)
        _, tried = await right_password(ports, account.address, password, address=address, wrong=_NEITHER)
    now = ports.clock.now()
    fresh = new_token(ports)

    def renew(writer: Writer) -> PortalSession | PasskeyOutcome:
        session = _session(ports, writer, token)
        still_active(writer, session.account_id)
        if tried is not None:
            _require_still(writer, tried)
        outcome = passkey_ceremonies.settle(writer, examined, address=address, now=now)
        return portal_sessions.renew(ports, writer, session, fresh, now) if outcome is PasskeyOutcome.RIGHT else outcome

    result = await ports.store.write(renew)
    if isinstance(result, PasskeyOutcome):
        raise passkey_ceremonies.refusal(result)
    return _started(fresh, result)


def _session(ports: Ports, writer: Writer, token: str) -> PortalSession:
    session = find_session(ports, writer, token)
    if session is None:
        raise NotAllowed(AGAIN)
    return session


def _require_still(writer: Writer, tried: Tried) -> None:
    if not tried.still_holds(writer):
        raise Refused(_NEITHER)


def _started(token: str, session: PortalSession) -> Started:
    return Started(token, session, NextStep.DONE if session.has_second_factor else NextStep.SET_UP_SECOND_FACTOR)
