# SPDX-License-Identifier: Apache-2.0
"""Every type that the Ledger stores as JSON. How to change one: libs/README.md, "Stored formats"."""

from typing import Final

from meshkit.formats import Format, Formats, Json
from services.ledger.domain.credits.commands import AdjustedBalance, VoidedGrant
from services.ledger.domain.credits.grant import Grant
from services.ledger.domain.credits.plan_change import PlanChanged
from services.ledger.domain.credits.refund import GrantRefunded, RefundReversed
from services.ledger.domain.credits.schedule import Edition, Rollover
from services.ledger.domain.credits.seat_void import SeatChangeVoided
from services.ledger.domain.crossings.watch import Crossing, LevelCrossing
from services.ledger.domain.gate.cap_group import CapGroupRemoval, CustomerCapGroup
from services.ledger.domain.gate.decision import (
    Authorized,
    AuthorizedInShadow,
    AuthorizedLines,
    AuthorizedLinesInShadow,
    Captured,
    CapturedLines,
    Debited,
    DebitedInShadow,
    DebitedLines,
    DebitedLinesInShadow,
    Extended,
    ExtendedInShadow,
    Released,
)
from services.ledger.domain.gate.in_flight import ConcurrencyCapRemoval, CustomerConcurrencyCap
from services.ledger.domain.gate.lease import Leased, LeaseEnded, LeaseSettled
from services.ledger.domain.gate.shadow import ShadowMode
from services.ledger.domain.gate.spend_cap import CustomerSpendCap, CustomerTimeZone, SpendCapRemoval
from services.ledger.domain.rating.dimensions import Dimension
from services.ledger.domain.rating.metric import PropertyFilter
from services.ledger.domain.rating.price import Conversion
from services.ledger.domain.rating.tiers import Tier
from services.ledger.domain.responses import Response
from services.ledger.domain.usage.commands import CorrectedUsage
from services.ledger.domain.usage.event import EventResult
from services.ledger.store.gate.stored_line import StoredLine


def _never_voided(grant: Json) -> Json:
    """Grant 1 to 2: it can be voided."""
    return {**grant, "void": None}


def _never_taken_back(grant: Json) -> Json:
    """Grant 2 to 3: late notices can take credits back."""
    return {**grant, "taken_back": {"micros": 0}}


def _never_rolled_over(grant: Json) -> Json:
    """Grant 3 to 4: its rest can roll over into another grant."""
    return {**grant, "rolled_over": {"micros": 0}, "rolled_from": None}


def _without_slot(grant: Json) -> Json:
    """Grant 4 to 5: it may belong to a slot."""
    return {**grant, "slot_id": None}


def _rolls_nowhere(grant: Json) -> Json:
    """Grant 5 to 6: what returns to it after it was voided may roll to another grant."""
    void = grant["void"]
    return {**grant, "void": None if void is None else {**void, "rolls_to": None}}


def _not_free(grant: Json) -> Json:
    """Grant 6 to 7: credits may be free, and withheld."""
    return {**grant, "withheld": None}


def _never_owed(grant: Json) -> Json:
    """Grant 7 to 8: its money may have gone back although its credits were used."""
    return {**grant, "to_void": None}


def _grant_never_taken_back(voided: Json) -> Json:
    """VoidedGrant 1 to 2: its grant is Grant 3."""
    return {**voided, "grant": _never_taken_back(voided["grant"])}


def _grant_never_rolled_over(voided: Json) -> Json:
    """VoidedGrant 2 to 3: its grant is Grant 4."""
    return {**voided, "grant": _never_rolled_over(voided["grant"])}


def _grant_without_slot(voided: Json) -> Json:
    """VoidedGrant 3 to 4: its grant is Grant 5."""
    return {**voided, "grant": _without_slot(voided["grant"])}


def _grant_rolls_nowhere(voided: Json) -> Json:
    """VoidedGrant 4 to 5: its grant is Grant 6."""
    return {**voided, "grant": _rolls_nowhere(voided["grant"])}


def _grant_not_free(voided: Json) -> Json:
    """VoidedGrant 5 to 6: its grant is Grant 7."""
    return {**voided, "grant": _not_free(voided["grant"])}


def _grant_never_owed(voided: Json) -> Json:
    """VoidedGrant 6 to 7: its grant is Grant 8."""
    return {**voided, "grant": _never_owed(voided["grant"])}


def _nothing_owed(refunded: Json) -> Json:
    """GrantRefunded 1 to 2: a refund can leave a debt."""
    return {**refunded, "owed": {"micros": 0}}


def _without_overage(response: Json) -> Json:
    """Authorized, Captured, Debited, Extended 1 to 2: a contract can allow overage."""
    return {**response, "overage": {"micros": 0}}


def _lines_without_overage(response: Json) -> Json:
    """AuthorizedLines, CapturedLines, DebitedLines 1 to 2: a contract can allow overage."""
    return _without_overage({**response, "lines": [_without_overage(line) for line in response["lines"]]})


def _of_the_vendor(answer: Json) -> Json:
    """CustomerSpendCap 1 to 2: a cap has an owner, and may be in a rolling window."""
    return {**answer, "cap": {**answer["cap"], "owner": "VENDOR", "hours": 0}}


def _cap_enforced(answer: Json) -> Json:
    """CustomerSpendCap 2 to 3, CustomerConcurrencyCap 1 to 2: a cap can be in shadow mode."""
    return {**answer, "cap": {**answer["cap"], "is_shadow": False}}


RESPONSES: Final = Formats[Response](
    Format("Authorized", Authorized, (_without_overage,)),
    Format("AuthorizedLines", AuthorizedLines, (_lines_without_overage,)),
    # Those in shadow mode have the versions of the others, which the previous version reads them as.
    Format("AuthorizedInShadow", AuthorizedInShadow, (_without_overage,)),
    Format("AuthorizedLinesInShadow", AuthorizedLinesInShadow, (_lines_without_overage,)),
    Format("ExtendedInShadow", ExtendedInShadow, (_without_overage,)),
    Format("DebitedInShadow", DebitedInShadow, (_without_overage,)),
    Format("DebitedLinesInShadow", DebitedLinesInShadow, (_lines_without_overage,)),
    Format("Captured", Captured, (_without_overage,)),
    Format("CapturedLines", CapturedLines, (_lines_without_overage,)),
    Format("Released", Released),
    Format("Extended", Extended, (_without_overage,)),
    Format("Debited", Debited, (_without_overage,)),
    Format("DebitedLines", DebitedLines, (_lines_without_overage,)),
    Format("Leased", Leased),
    Format("LeaseSettled", LeaseSettled),
    Format("LeaseEnded", LeaseEnded),
    Format(
        "Grant",
        Grant,
        (
            _never_voided,
            _never_taken_back,
            _never_rolled_over,
            _without_slot,
            _rolls_nowhere,
            _not_free,
            _never_owed,
        ),
    ),
    Format(
        "VoidedGrant",
        VoidedGrant,
        (
            _grant_never_taken_back,
            _grant_never_rolled_over,
            _grant_without_slot,
            _grant_rolls_nowhere,
            _grant_not_free,
            _grant_never_owed,
        ),
    ),
    Format("CustomerSpendCap", CustomerSpendCap, (_of_the_vendor, _cap_enforced)),
    Format("SpendCapRemoval", SpendCapRemoval),
    Format("CustomerTimeZone", CustomerTimeZone),
    Format("CustomerCapGroup", CustomerCapGroup),
    Format("CapGroupRemoval", CapGroupRemoval),
    Format("CustomerConcurrencyCap", CustomerConcurrencyCap, (_cap_enforced,)),
    Format("ShadowMode", ShadowMode),
    Format("ConcurrencyCapRemoval", ConcurrencyCapRemoval),
    Format("CorrectedUsage", CorrectedUsage),
    Format("AdjustedBalance", AdjustedBalance),
    Format("PlanChanged", PlanChanged),
    Format("SeatChangeVoided", SeatChangeVoided),
    Format("GrantRefunded", GrantRefunded, (_nothing_owed,)),
    Format("RefundReversed", RefundReversed),
)
# Each is named as the notice's kind.
NOTICES: Final = Formats[Crossing | LevelCrossing](
    Format("CROSSING", Crossing), Format("LEVEL_CROSSING", LevelCrossing)
)
# One element of products.filters.
PROPERTY_FILTER: Final = Format("PropertyFilter", PropertyFilter)
# products.conversion.
CONVERSION: Final = Format("Conversion", Conversion)
# One element of products.pricing_dimensions.
DIMENSION: Final = Format("Dimension", Dimension)
# One element of rates.tiers.
TIER: Final = Format("Tier", Tier)
# One element of holds.lines.
HOLD_LINE: Final = Format("HoldLine", StoredLine)
# grant_schedules.rollover, and one element of grant_schedules.editions.
ROLLOVER: Final = Format("Rollover", Rollover)
EDITION: Final = Format("ScheduleEdition", Edition)
# usage_events.result.
EVENT_RESULT: Final = Format("EventResult", EventResult)
COLUMNS: Final = Formats[
    PropertyFilter | Conversion | Dimension | Tier | StoredLine | Rollover | Edition | EventResult
](PROPERTY_FILTER, CONVERSION, DIMENSION, TIER, HOLD_LINE, ROLLOVER, EDITION, EVENT_RESULT)
