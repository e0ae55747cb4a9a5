# SPDX-License-Identifier: Apache-2.0
"""A pool kept in memory, read and saved as the store does: what is closed, or not due yet, is not looked at.

So a test that runs a pool through its life also tests that `next_due_time` is never too late.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from meshkit.quantity import Credits
from services.ledger.domain.credits import adjusting, due, issuing
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.burn_down import rank
from services.ledger.domain.credits.debt import (
    Debt,
    DebtEntry,
    DebtHistory,
    payments,
    recover,
    reverse,
)
from services.ledger.domain.credits.due import DueSources, Reading, ScheduleProgress
from services.ledger.domain.credits.entry import Entry, EntryKind
from services.ledger.domain.credits.free_credits import FreeCredits
from services.ledger.domain.credits.grant import Grant, GrantId, GrantVoid, ScheduleId
from services.ledger.domain.credits.proration import SeatChange, Seats
from services.ledger.domain.credits.refund import GrantRefunded, RefundGrant, refund_grant
from services.ledger.domain.credits.schedule import Edition, Schedule
from services.ledger.domain.crossings import alarm
from services.ledger.domain.crossings.watch import OF_SPEND, Crossing, Watch
from services.ledger.domain.gate import capturing, gate, lines
from services.ledger.domain.gate.decision import (
    Amount,
    Ask,
    Authorized,
    Captured,
    CapturedLines,
    Debited,
    Extended,
    Released,
)
from services.ledger.domain.gate.hold import HOLD_TTL_DEFAULT, Hold, HoldId, HoldState
from services.ledger.domain.gate.shortfall import SHORTFALL
from services.ledger.domain.gate.spend_cap import (
    GroupValue,
    Spend,
    SpendCap,
    own_subjects,
    stepped_windows_of,
)
from services.ledger.domain.gate.standing import CustomerRecord, extension_of
from services.ledger.domain.gate.subjects import held_by
from tests.unit.ledger.builders import ACME, AI, JUNE, a_book, an_account

USD = "USD"
SAMPLE_SIZE = 2  # of 100 in the store
_RAISES = (EntryKind.GRANT, EntryKind.SEAT_ADJUSTMENT)


class Books:
    """One pool, what was written about it, and the schedules that grant into it.

    anchor: of the contract in force. Every command brings the pool up to date first, if anything is due.
    reads_all: issuing and voiding read every grant, as the gate does; the store reads only the grant it is about.
    """

    def __init__(
        self,
        *grants: Grant,
        anchor: datetime | None = JUNE,
        at: datetime = JUNE,
        reads_all: bool = False,
    ) -> None:
        self._reads_all = reads_all
        self.stored = replace(an_account(), usage_anchor=anchor)
        self.schedules: dict[ScheduleId, ScheduleProgress] = {}
        self.anchor = anchor
        self.entries: list[Entry] = []
        self.crossings: list[Crossing] = []
        self.debt_entries: list[DebtEntry] = []
        # Kept when the account is saved; a command that fails keeps neither.
        self._issued: Mapping[ScheduleId, ScheduleProgress] = {}
        self._hold_numbers = itertools.count(1)
        self._cause_numbers = itertools.count(1)
        for grant in grants:
            self.issue(grant, at=at)

    # What callers ask of the gate.

    def authorize(
        self,
        ask: Ask,
        *,
        at: datetime,
        ttl: timedelta = HOLD_TTL_DEFAULT,
        allows_part: bool = False,
    ) -> Authorized:
        account = self._open(at, values=ask.counted_group_values.items())
        hold_id = HoldId(f"hld_{next(self._hold_numbers)}")
        after, answer = gate.authorize(
            account,
            ask,
            hold_id=hold_id,
            expire_time=at + ttl,
            allows_part=allows_part,
            at=account.time_at(at),
        )
        self._save(after)
        return answer

    def capture(self, hold_id: HoldId, actual: Amount | None = None, *, at: datetime) -> Captured:
        account = self._open(at, hold_id=hold_id)
        after, answer = capturing.capture(
            account, account.holds[hold_id], actual, cause_id=self._cause_id(), at=account.time_at(at)
        )
        self._save(after)
        return answer

    def release(self, hold_id: HoldId, *, at: datetime) -> Released:
        account = self._open(at, hold_id=hold_id)
        after, answer = gate.release(account, account.holds[hold_id], at=account.time_at(at))
        self._save(after)
        return answer

    def extend(
        self, hold_id: HoldId, ask: Ask | None = None, *, expire_time: datetime | None = None, at: datetime
    ) -> Extended:
        account = self._open(at, hold_id=hold_id)
        hold = account.holds[hold_id]
        after, answer = gate.extend(
            account,
            hold,
            None if ask is None else _extension(hold, ask, at),
            expire_time=expire_time,
            at=account.time_at(at),
        )
        self._save(after)
        return answer

    def debit(self, ask: Ask, *, at: datetime) -> Debited:
        account = self._open(at, values=ask.counted_group_values.items())
        after, answer = gate.debit(account, ask, cause_id=self._cause_id(), at=account.time_at(at))
        self._save(after)
        return answer

    def authorize_lines(
        self, asks: Sequence[Ask], *, at: datetime, ttl: timedelta = HOLD_TTL_DEFAULT
    ) -> Authorized:
        account = self._open(at, values=_values_of(asks))
        hold_id = HoldId(f"hld_{next(self._hold_numbers)}")
        after, answer = lines.authorize(
            account, asks, hold_id=hold_id, expire_time=at + ttl, at=account.time_at(at)
        )
        self._save(after)
        return answer

    def capture_lines(self, hold_id: HoldId, used: Sequence[Amount], *, at: datetime) -> CapturedLines:
        """Capture a hold; used: of its lines, again from the beginning if it has more."""
        account = self._open(at, hold_id=hold_id)
        hold = account.holds[hold_id]
        of_lines = [used[number % len(used)] for number in range(len(hold.parts))]
        after, answer = capturing.capture_lines(
            account, hold, of_lines, cause_id=self._cause_id(), at=account.time_at(at)
        )
        self._save(after)
        return answer

    def debit_lines(self, asks: Sequence[Ask], *, at: datetime) -> Debited:
        account = self._open(at, values=_values_of(asks))
        after, answer = lines.debit(account, asks, cause_id=self._cause_id(), at=account.time_at(at))
        self._save(after)
        return answer

    # What operators and the other services tell it.

    def issue(self, grant: Grant, *, at: datetime) -> None:
        account = self._open_for(None, at)
        self._save(issuing.issue_grant(account, grant, cause_id=self._cause_id(), at=account.time_at(at)))

    def void(self, grant_id: str, *, at: datetime) -> Credits:
        """Void a grant; returns what that takes at once."""
        name = GrantId(grant_id)
        account = self._open_for(name, at)
        time = account.time_at(at)
        void = GrantVoid(time=time, reason="by mistake", actor="ops")
        after, voided = issuing.void_grant(account, name, void, cause_id=self._cause_id(), at=time)
        self._save(after)
        return voided

    def refund(
        self,
        grant_id: str,
        voided_at_least: Credits | None = None,
        *,
        at: datetime,
        accept_debt: bool = False,
        refund_id: str = "",
    ) -> GrantRefunded:
        """Refund a grant: all of its rest, or until so much is voided in all."""
        name = GrantId(grant_id)
        account = self._open_for(name, at)
        command = RefundGrant(
            request_id=self._cause_id(),
            fingerprint=b"",
            customer_id=account.customer_id,
            top_up_id="top_1",
            refund_id=refund_id,
            voided_at_least=voided_at_least,
            accept_debt=accept_debt,
            currency_code=USD,
        )
        after, entry, refunded = refund_grant(
            account, name, command, self.history(name), at=account.time_at(at)
        )
        self._save(after)
        self.debt_entries += [] if entry is None else [entry]
        return refunded

    def chargeback(self, grant_id: str, credits: Credits | None = None, *, at: datetime, of: str) -> Credits:
        """Refund a grant whatever was spent of it, as refund `of`; returns what is owed of it then."""
        return self.refund(grant_id, credits, at=at, accept_debt=True, refund_id=of).owed

    def buy(self, grant: Grant, *, at: datetime) -> None:
        """Issue a bought grant, which pays what is owed."""
        debts = self.debts()
        account = self._open_for(None, at)
        owing = {one.grant.grant_id: self.stored.grants[one.grant.grant_id] for one in debts}
        account = replace(account, grants={**account.grants, **owing})
        now = [replace(one, grant=account.grants[one.grant.grant_id]) for one in debts]
        pays = payments(now, grant, USD)
        time = account.time_at(at)
        after = issuing.issue_grant(account, grant, cause_id=self._cause_id(), at=time, pays=pays)
        for payment in pays:
            after, entry = recover(after, payment, grant.grant_id, at=time)
            self.debt_entries.append(entry)
        self._save(after)

    def reverse(self, grant_id: str, *, of: str, new: str, at: datetime) -> None:
        """The money of refund `of` is back; what it gives back is granted as `new`."""
        name = GrantId(grant_id)
        account, history = self._open_for(name, at), self.history(name)
        refund = history.refund(of)
        assert refund is not None
        after, entry = reverse(
            account,
            name,
            refund,
            history,
            new_grant_id=GrantId(new),
            cause_id=self._cause_id(),
            at=account.time_at(at),
        )
        self._save(after)
        self.debt_entries.append(entry)

    def history(self, grant_id: GrantId) -> DebtHistory:
        paid = [one.taken.micros for one in self.debt_entries if one.other_grant_id == grant_id]
        return DebtHistory(
            entries=tuple(one for one in self.debt_entries if one.grant_id == grant_id),
            paid_for_others=Credits(sum(max(0, micros) for micros in paid)),
        )

    def debts(self) -> list[Debt]:
        """Return what is owed, the oldest debt first."""
        names = dict.fromkeys(one.grant_id for one in self.debt_entries)
        found = [Debt(grant=self.stored.grants[name], credit_type_id=AI, currency_code=USD) for name in names]
        return [one for one in found if one.owed]

    def void_any(self, number: int, *, at: datetime) -> Credits:
        """Void one of the grants that there are at `at`."""
        self.settle(at)
        known = sorted(self.stored.grants)
        return self.void(known[number % len(known)], at=at) if known else Credits(0)

    def tell_schedule(self, schedule: Schedule, seats: Seats | None = None, *, at: datetime) -> None:
        self.settle(at, settles=True)
        self.schedules[schedule.schedule_id] = ScheduleProgress(
            schedule=schedule, seats=seats, next_index=schedule.first_index, latest=None
        )
        self.settle(at, settles=True)

    def tell_seats(self, change: SeatChange, *, at: datetime, accepted: datetime | None = None) -> Credits:
        """Change the seats of every schedule that counts seats; returns what that adds at once.

        accepted: by Contract; None: at `at`.
        """
        self.settle(at, settles=True)
        change = replace(change, accept_time=accepted or at)
        for key, progress in self.schedules.items():
            if progress.seats is not None:
                self.schedules[key] = replace(progress, seats=progress.seats.with_change(change))
        written = len(self.entries)
        account = self._open(at, settles=True)
        for progress in self.schedules.values():
            if progress.seats is not None:
                without = progress.seats.without_change(change)
                account = adjusting.take_back_for_seats(
                    account, progress.schedule, without, progress.seats, at=account.time_at(at)
                )
        self._save(account)
        new = self.entries[written:]
        return Credits(sum(one.amount.micros for one in new if one.kind is EntryKind.SEAT_ADJUSTMENT))

    def tell_end(self, end: datetime | None, *, at: datetime, accepted: datetime | None = None) -> None:
        """Move the end of every schedule. accepted: by Contract; None: at `at`."""
        self._tell_terms(lambda one: replace(one, end_time=end), at=at, accepted=accepted)

    def tell_edit(self, effective: datetime, *, at: datetime, accepted: datetime, **terms: Any) -> None:
        """Give every schedule these terms for the periods that begin at `effective` or later."""

        def edit(one: Schedule) -> Schedule:
            edition = Edition(effective, replace(one.terms, **terms))
            return replace(one, editions=(*one.editions, edition))

        self._tell_terms(edit, at=at, accepted=accepted)

    def _tell_terms(
        self, change: Callable[[Schedule], Schedule], *, at: datetime, accepted: datetime | None
    ) -> None:
        self.settle(at, settles=True)
        before = {key: progress.schedule for key, progress in self.schedules.items()}
        for key, progress in self.schedules.items():
            self.schedules[key] = replace(progress, schedule=change(progress.schedule))
        account = self._open(at, settles=True)
        for key, progress in self.schedules.items():
            account = adjusting.take_back_for_terms(
                account,
                before[key],
                progress.schedule,
                progress.counted_seats,
                accept_time=accepted,
                at=account.time_at(at),
            )
        self._save(account)

    def tell_watch(self, watch: Watch, *, at: datetime) -> None:
        others = tuple(one for one in self.stored.watches if one.alert_id != watch.alert_id)
        self.stored = replace(self.stored, watches=(*others, watch))
        self.settle(at, settles=True)

    def set_cap(self, cap: SpendCap) -> None:
        caps = (*self.stored.caps, cap)
        self.stored = replace(
            self.stored,
            caps=caps,
            windows=stepped_windows_of(caps, self.stored.time_zone),
            own_subjects=own_subjects(caps),
        )

    def settle(self, at: datetime, *, settles: bool = False) -> None:
        """Look at the pool, as the sweeper does; settles: even if nothing seems due."""
        self._save(self._open(at, settles=settles))

    # What is so.

    def available(self, at: datetime) -> Credits:
        """Return what can be authorized at `at`, without writing anything."""
        return self._reckoned(at).available(at)

    def rests(self, at: datetime) -> dict[str, Credits]:
        """Return what each active grant has left, by grant_id."""
        grants = self._reckoned(at).grants.values()
        return {grant.grant_id: grant.rest for grant in grants if grant.is_active(at)}

    def hold(self, hold_id: HoldId) -> Hold:
        return self.stored.holds[hold_id]

    def check(self) -> None:
        """Assert what holds for every pool at every instant. Source: services/ledger/README.md, "Zero overspend"."""
        account = self.stored
        assert [one.sequence for one in self.entries] == list(range(1, account.sequence + 1))
        assert account.shortfall == Credits(sum(one.shortfall.micros for one in self.entries))
        held, spends = self._reserved()
        for grant in account.grants.values():
            _check_grant(grant, [one for one in self.entries if one.grant_id == grant.grant_id])
            assert grant.held.micros == held[grant.grant_id]
        for key, spend in account.spends.items():
            assert spend.held.micros == spends[key]
        if account.next_due_time is not None and account.settled_time is not None:
            assert account.next_due_time > account.settled_time

    def _reserved(self) -> tuple[Counter[str], Counter[GroupValue]]:
        held: Counter[str] = Counter()
        spends: Counter[GroupValue] = Counter()
        for hold in self.stored.holds.values():
            assert [draw for part in hold.parts for draw in part.draws] == list(hold.draws)
            if hold.state is HoldState.HELD:
                for draw in hold.draws:
                    held[draw.grant_id] += draw.amount.micros
                for subject, amount in held_by(self.stored, hold).items():
                    spends[subject] += amount.micros
        return held, spends

    # As the store does.

    def _open_for(self, grant_id: GrantId | None, at: datetime) -> Account:
        """Open the account to issue a grant, or to void this one."""
        only = frozenset[GrantId]() if grant_id is None else frozenset({grant_id})
        return self._open(at, settles=self._reads_all, only_grants=only)

    def _open(
        self,
        at: datetime,
        *,
        hold_id: HoldId | None = None,
        values: Iterable[GroupValue] = (),
        settles: bool = False,
        only_grants: frozenset[GrantId] | None = None,
    ) -> Account:
        reading = self._read(at, hold_id=hold_id, values=values, settles=settles, only_grants=only_grants)
        numbers = itertools.count(len(self.stored.grants) + 1)
        settled = due.bring_up_to_date(
            reading, at=reading.account.time_at(at), new_grant_id=lambda: GrantId(f"grt_new_{next(numbers)}")
        )
        self._issued = settled.schedules
        return settled.account

    def _reckoned(self, at: datetime) -> Account:
        """Return all of the pool as it is at `at`; nothing is kept of it."""
        sources = DueSources(schedules=self.schedules, first_unread=None, anchor=self.anchor)
        sources = with_free_credits(sources, self.stored, at=at)
        numbers = itertools.count(1_000_000)
        return due.settle(
            self.stored, sources, at=at, new_grant_id=lambda: GrantId(f"grt_never_{next(numbers)}")
        ).account

    def _read(
        self,
        at: datetime,
        *,
        hold_id: HoldId | None,
        values: Iterable[GroupValue],
        settles: bool,
        only_grants: frozenset[GrantId] | None,
    ) -> Reading:
        stored = self.stored
        is_due = settles or stored.is_due(at)
        is_partial = only_grants is not None and not is_due
        named = only_grants or frozenset()
        holds = {
            hold.hold_id: hold
            for hold in stored.holds.values()
            if hold.hold_id == hold_id or (is_due and _is_held(hold) and hold.expire_time <= at)
        }
        wanted = {*values, *(value for hold in holds.values() for value in hold.counted())}
        wanted |= stored.own_subjects
        if stored.shortfall:
            wanted.add(SHORTFALL)
        if is_due or is_partial:
            wanted.update(self._watched_values())
        account = replace(
            stored,
            grants={
                grant.grant_id: grant
                for grant in stored.grants.values()
                if grant.grant_id in named or (_is_open(grant) and not is_partial)
            },
            holds=holds,
            spends={value: stored.spends.get(value, Spend()) for value in wanted},
        )
        if is_partial:
            return Reading(
                account=replace(self._with_unread(account, at), is_partial=True),
                sources=DueSources(schedules={}, first_unread=stored.next_due_time, anchor=self.anchor),
            )
        later = [
            hold.expire_time for hold in stored.holds.values() if _is_held(hold) and hold.expire_time > at
        ]
        sources = DueSources(
            schedules=dict(self.schedules),
            first_unread=min(later, default=None),
            anchor=self.anchor,
            rechecks=settles,
        )
        sources = with_free_credits(sources, stored, at=at)
        return Reading(account=account, sources=sources if is_due else None)

    def _with_unread(self, account: Account, at: datetime) -> Account:
        """Return the account with what remains in the other grants, or with less if no crossing depends on it."""
        time = account.time_at(at)
        others = [
            grant
            for grant in self.stored.grants.values()
            if grant.grant_id not in account.grants and grant.is_active(time) and _is_open(grant)
        ]
        sample, exact = (_with_sums(account, grants) for grants in (others[:SAMPLE_SIZE], others))
        return exact if alarm.depends_on_balance(account, at_least=sample.unread) else sample

    def _watched_values(self) -> Iterator[GroupValue]:
        for watch in self.stored.watches:
            if watch.kind in OF_SPEND:
                if watch.group_value:
                    yield watch.group_key, watch.group_value
                elif watch.customer_id is not None and (watch.alert_id, "") not in self.stored.watch_states:
                    yield from (key for key in self.stored.spends if key[0] == watch.group_key)
                for (alert_id, value), state in self.stored.watch_states.items():
                    if alert_id == watch.alert_id and state.in_alarm and value:
                        yield watch.group_key, value

    def _save(self, after: Account) -> None:
        _check_rankings(after)
        self.schedules |= self._issued
        self.entries += after.entries
        self.crossings += after.crossings
        self.stored = replace(
            after.as_saved(version=after.version + 1),
            unread=Credits(0),
            unread_included=Credits(0),
            is_partial=False,
            grants={**self.stored.grants, **after.grants},
            holds={**self.stored.holds, **after.holds},
            spends={**self.stored.spends, **after.spends},
        )

    def _cause_id(self) -> str:
        return f"req-{next(self._cause_numbers)}"


def _values_of(asks: Iterable[Ask]) -> set[GroupValue]:
    return {value for ask in asks for value in ask.counted_group_values.items()}


def _extension(hold: Hold, ask: Ask, at: datetime) -> Ask:
    record = CustomerRecord(customer_id=ACME, is_suspended=False)
    extension = extension_of(
        record, a_book(hold.product_id), hold, ask.amount, credit_type_id=AI, at=max(at, JUNE)
    )
    assert isinstance(extension, Ask)
    return extension


def _is_held(hold: Hold) -> bool:
    return hold.state is HoldState.HELD


def _is_open(grant: Grant) -> bool:
    return not grant.is_closed or bool(grant.held)


def _check_rankings(account: Account) -> None:
    """What is kept of earlier questions is what the same question is answered now."""
    for product_id, kept in account.rankings.items():
        anew = rank(account.grants.values(), at=kept.start, product_id=product_id)
        assert (list(kept.grant_ids), kept) == (list(anew.grant_ids), anew)


def _check_grant(grant: Grant, entries: list[Entry]) -> None:
    figures = (grant.captured, grant.held, grant.expired, grant.voided, grant.rest)
    assert min(figures) >= Credits(0)
    assert sum(figure.micros for figure in figures) == grant.granted.micros
    by_kind: Counter[EntryKind] = Counter()
    for entry in entries:
        by_kind[entry.kind] += entry.amount.micros
    assert by_kind[EntryKind.GRANT] + by_kind[EntryKind.SEAT_ADJUSTMENT] == grant.granted.micros
    assert -by_kind[EntryKind.CAPTURE] == grant.captured.micros
    assert -by_kind[EntryKind.EXPIRY] == grant.expired.micros
    assert -by_kind[EntryKind.VOID] == grant.voided.micros
    assert all((entry.amount >= Credits(0)) == (entry.kind in _RAISES) for entry in entries)
    if grant.is_closed:
        assert not grant.rest


def with_free_credits(sources: DueSources, account: Account, *, at: datetime) -> DueSources:
    """Return what can fall due with the free credits that the store would read. account: with all its grants."""
    since = sources.free_since(account, at=account.time_at(at))
    if since is None:
        return sources
    found = []
    for grant in account.grants.values():
        if grant.withheld is not None and grant.expire_time is not None and grant.expire_time > since:
            assert grant.schedule_id is not None
            assert grant.period_start is not None
            schedule = sources.schedules[grant.schedule_id].schedule
            found.append(
                FreeCredits(
                    contract_id=schedule.contract_id,
                    cadence=schedule.cadence,
                    period_start=grant.period_start,
                    granted=grant.granted - grant.taken_back,
                    withheld=grant.withheld,
                )
            )
    return replace(sources, free=tuple(found))


def _with_sums(account: Account, unread: Sequence[Grant]) -> Account:
    return replace(
        account,
        unread=Credits(sum(grant.remaining.micros for grant in unread)),
        unread_included=Credits(sum(grant.included.micros for grant in unread)),
    )
