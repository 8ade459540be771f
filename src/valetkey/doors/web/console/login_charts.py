"""Logins and refusals over time, put together from counts by hour: what charts and their tables show."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from babel.dates import format_date

from valetkey.core.scope import MailProtocol
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web import names
from valetkey.doors.web.charts import Chart, Row, Series, bars
from valetkey.doors.web.language import Language
from valetkey.service.store_parts import HourCount

ALLOWED = "allowed"
_MOST_REASONS = 5  # the others are one series
_INKS = "abcdef"
_REFUSAL_INKS = "bcdefa"  # refusals begin with the ink of refusals


@dataclass(frozen=True, slots=True)
class Span:
    """A time to look at, in steps."""

    name: Sentence
    step: timedelta
    steps: int

    def begin(self, now: datetime) -> datetime:
        """Give the beginning of the first step, where `now` is: at a full hour or at midnight."""
        end = now.replace(minute=0, second=0, microsecond=0)
        if self.step < timedelta(days=1):
            return end - self.step * (self.steps - 1)
        return end.replace(hour=0) - self.step * self.steps + timedelta(days=1)


DAY = Span(say("24 hours"), timedelta(hours=1), 24)
SPANS: Mapping[str, Span] = {
    "hours": Span(say("36 hours, by the hour"), timedelta(hours=1), 36),
    "month": Span(say("30 days, by the day"), timedelta(days=1), 30),
    "quarter": Span(say("12 weeks, by the week"), timedelta(days=7), 12),
}


@dataclass(frozen=True, slots=True)
class Counted:
    """What happened in a span, drawn and summed up."""

    logins: int
    refusals: int
    by_protocol: Chart  # logins
    by_reason: Chart | None  # refusals; None: there are none
    sums: tuple[tuple[str, int, int], ...]  # protocol, logins, refusals
    reasons: tuple[tuple[str, int], ...]  # the most frequent first


def summed(language: Language, span: Span, counts: Iterable[HourCount], now: datetime) -> Counted:
    """Put counts by hour together.

    Args:
        language: Whose words and time zone.
        span: Which time.
        counts: The counts; what lies outside of the span is left out.
        now: The time.
    """
    begin = span.begin(now.astimezone(language.zone))
    kept = [(_place(one.hour, begin, span), one) for one in counts]
    kept = [(place, one) for place, one in kept if 0 <= place < span.steps]
    by_reason = Counter[str]()
    for _, one in kept:
        if one.result != ALLOWED:
            by_reason[one.result] += one.count
    return Counted(
        logins=sum(one.count for _, one in kept if one.result == ALLOWED),
        refusals=by_reason.total(),
        by_protocol=_logins(language, span, begin, kept),
        by_reason=_refusals(language, span, begin, kept, by_reason) if by_reason else None,
        sums=tuple(_sums(one for _, one in kept)),
        reasons=tuple((_reason(language, reason), number) for reason, number in by_reason.most_common()),
    )


def _place(hour: datetime, begin: datetime, span: Span) -> int:
    if span.step < timedelta(days=1):
        return (hour - begin) // span.step
    there = hour.astimezone(begin.tzinfo)  # by the calendar: a day with a changed clock has 23 or 25 hours
    return (there.date() - begin.date()) // span.step


_Kept = Sequence[tuple[int, HourCount]]


def _logins(language: Language, span: Span, begin: datetime, kept: _Kept) -> Chart:
    protocols = list(MailProtocol)

    def series_of(one: HourCount) -> int | None:
        return protocols.index(one.protocol) if one.result == ALLOWED else None

    series = [Series(names.PROTOCOLS[protocol], _INKS[place]) for place, protocol in enumerate(protocols)]
    return _drawn(language, span, begin, kept, series, series_of)


def _refusals(language: Language, span: Span, begin: datetime, kept: _Kept, by_reason: Counter[str]) -> Chart:
    shown = [reason for reason, _ in by_reason.most_common(_MOST_REASONS)]
    said = [_reason(language, reason) for reason in shown]
    if len(by_reason) > len(shown):
        said.append(language.translated(say("other reasons")))

    def series_of(one: HourCount) -> int | None:
        if one.result == ALLOWED:
            return None
        return shown.index(one.result) if one.result in shown else len(shown)

    series = [Series(name, _REFUSAL_INKS[place]) for place, name in enumerate(said)]
    return _drawn(language, span, begin, kept, series, series_of)


def _drawn(  # noqa: PLR0917  (what a chart is made of)
    language: Language,
    span: Span,
    begin: datetime,
    kept: _Kept,
    series: Sequence[Series],
    series_of: Callable[[HourCount], int | None],
) -> Chart:
    sums = [[0] * len(series) for _ in range(span.steps)]
    for place, one in kept:
        number = series_of(one)
        if number is not None:
            sums[place][number] += one.count
    rows = [
        Row(_label(language, span, begin, place), tuple(values), _short(language, span, begin, place))
        for place, values in enumerate(sums)
    ]
    return bars(series, rows, language.translated(_over(span)))


def _over(span: Span) -> Sentence:
    if span.step < timedelta(days=1):
        return say("Hour")
    return say("Day") if span.step == timedelta(days=1) else say("Week")


def _label(language: Language, span: Span, begin: datetime, place: int) -> str:
    at = begin + span.step * place
    if span.step < timedelta(days=1):
        return language.translated(say("{day}, {time}", day=at.date(), time=language.clock(at)))
    if span.step == timedelta(days=1):
        return language.shown(at.date())
    return language.translated(say("Week from {day}", day=at.date()))


def _short(language: Language, span: Span, begin: datetime, place: int) -> str:
    at = begin + span.step * place
    if span.step < timedelta(days=1):
        return language.clock(at)
    return format_date(at.date(), "medium", locale=language.locale)


def _sums(counts: Iterable[HourCount]) -> Iterable[tuple[str, int, int]]:
    logins, refusals = Counter[MailProtocol](), Counter[MailProtocol]()
    for one in counts:
        (logins if one.result == ALLOWED else refusals)[one.protocol] += one.count
    for protocol, name in names.PROTOCOLS.items():
        if logins[protocol] or refusals[protocol]:
            yield name, logins[protocol], refusals[protocol]


def _reason(language: Language, stored: str) -> str:
    return language.shown(names.reason(stored))
