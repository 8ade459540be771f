"""The reader and the writer that a verb's transaction is handed: all parts joined."""

from valetkey.adapters.store.accounts import AccountReader, AccountWriter
from valetkey.adapters.store.activity import ActivityReader, ActivityWriter
from valetkey.adapters.store.answers import AnswerReader, AnswerWriter
from valetkey.adapters.store.app_passwords import AppPasswordReader, AppPasswordWriter
from valetkey.adapters.store.audit import AuditReader, AuditWriter
from valetkey.adapters.store.closings import ClosingReader, ClosingWriter
from valetkey.adapters.store.console import ConsoleListReader
from valetkey.adapters.store.counts import CountReader, CountWriter
from valetkey.adapters.store.key_numbers import KeyNumberReader, KeyNumberWriter
from valetkey.adapters.store.links import LinkReader, LinkWriter
from valetkey.adapters.store.passkeys import PasskeyReader, PasskeyWriter
from valetkey.adapters.store.portal_sessions import PortalSessionReader, PortalSessionWriter
from valetkey.adapters.store.proposals import ProposalReader, ProposalWriter
from valetkey.adapters.store.refused_sign_ins import RefusedSignInReader, RefusedSignInWriter
from valetkey.adapters.store.remembered_codes import RememberedCodeReader, RememberedCodeWriter
from valetkey.adapters.store.rules import RulesReader, RulesWriter
from valetkey.adapters.store.second_factors import SecondFactorReader, SecondFactorWriter
from valetkey.adapters.store.sent import SentReader, SentWriter
from valetkey.adapters.store.tallies import TallyReader, TallyWriter
from valetkey.adapters.store.throttle import ThrottleReader, ThrottleWriter
from valetkey.adapters.store.tokens import TokenReader, TokenWriter


class SqliteReader(
    AccountReader,
    AppPasswordReader,
    SecondFactorReader,
    PasskeyReader,
    RefusedSignInReader,
    PortalSessionReader,
    AuditReader,
    ActivityReader,
    CountReader,
    LinkReader,
    ThrottleReader,
    KeyNumberReader,
    RulesReader,
    TokenReader,
    ProposalReader,
    AnswerReader,
    ConsoleListReader,
    SentReader,
    TallyReader,
    RememberedCodeReader,
    ClosingReader,
):
    """Fulfils `service.ports.Reader`."""


class SqliteWriter(
    AccountWriter,
    AppPasswordWriter,
    SecondFactorWriter,
    PasskeyWriter,
    RefusedSignInWriter,
    PortalSessionWriter,
    AuditWriter,
    ActivityWriter,
    CountWriter,
    LinkWriter,
    ThrottleWriter,
    KeyNumberWriter,
    RulesWriter,
    TokenWriter,
    ProposalWriter,
    AnswerWriter,
    SentWriter,
    TallyWriter,
    RememberedCodeWriter,
    ClosingWriter,
    SqliteReader,
):
    """Fulfils `service.ports.Writer`."""
