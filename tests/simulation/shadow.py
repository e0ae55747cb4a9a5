# SPDX-License-Identifier: Apache-2.0
"""What the Ledger must answer: translates requests and responses for the model of each pool."""

from datetime import datetime, timedelta
from types import SimpleNamespace as Thing
from typing import Any

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_pb2 as pb
from tests.simulation import lease_model
from tests.simulation.model import NEVER, Pool, add_months, worth

AI, IMAGES = "crt_ai", "crt_images"
PRODUCTS = {"prd_assistant": AI, "prd_preview": AI, "prd_painter": IMAGES}
CUSTOMERS = ("cus_acme", "cus_globex")
POOLS = [(customer, credit_type) for customer in CUSTOMERS for credit_type in (AI, IMAGES)]
TTL_DEFAULT = timedelta(minutes=5)
BARRED = ("CUSTOMER_SUSPENDED", "NOT_ENTITLED")
FULL = "TOO_MANY_IN_FLIGHT"
LEASING = (pb.LeaseRequest, pb.SettleLeaseRequest, pb.EndLeaseRequest)

Answer = Any  # a response, or the reason of an error


class Shadow:
    """A model per pool, the owner of each name, and the response to each request."""

    def __init__(self, now: datetime, starts: dict[str, datetime]) -> None:
        self.pools = {(customer, credit_type): Pool(now, starts[customer]) for customer, credit_type in POOLS}
        self.names: dict[str, str] = {}
        self.given: dict[tuple[str, str], tuple[Any, Any]] = {}

    def of(self, customer: str) -> list[Pool]:
        return [pool for (owner, _), pool in self.pools.items() if owner == customer]

    def answer(self, request: Any, told: Answer) -> Answer:
        """Return the expected answer. told: the Ledger's answer, since only the Ledger chooses the ids of holds."""
        if getattr(request, "hold_id", "").startswith("lse_"):
            return "INVALID_FIELDS"
        customer = self.names.get(request.customer)
        if customer is None:
            return "CUSTOMER_NOT_FOUND"
        name = (customer, request.request_id)
        if isinstance(request, LEASING):
            return self._of_lease(customer, request, told)
        if name in self.given:
            first, answer = self.given[name]
            return answer if first == request else "REQUEST_ID_REUSED"
        try:
            answer = self._answer(customer, request, told)
        except LookupError as fault:
            return fault.args[0]
        if getattr(answer, "denial_reason", 0) == pb.DENIAL_REASON_SPEND_CAP_REACHED:
            answer.reached_cap.CopyFrom(self._reached_cap(customer, request, told))
        if getattr(answer, "denial_reason", 0) == pb.DENIAL_REASON_TOO_MANY_IN_FLIGHT:
            answer.reached_concurrency_cap.CopyFrom(self._full_cap(customer, request, told))
        if getattr(answer, "decision", pb.DECISION_ALLOWED) == pb.DECISION_ALLOWED:
            self.given[name] = (request, answer)
        return answer

    def _of_lease(self, customer: str, request: Any, told: Answer) -> Answer:
        name = (customer, request.request_id)
        is_new = name not in self.given
        if not is_new and self.given[name][0] != request:
            return "REQUEST_ID_REUSED"
        if isinstance(request, pb.LeaseRequest):
            if request.product_id not in PRODUCTS:
                return "PRODUCT_NOT_FOUND"
            credit_type = PRODUCTS[request.product_id]
            pool = self.pools[customer, credit_type]
        else:
            try:
                credit_type, pool = self._place(customer, request.lease_id)
            except LookupError:
                return "LEASE_NOT_FOUND"
        if is_new:
            try:
                answer = (
                    lease_model.lease(pool, credit_type, request, told)
                    if isinstance(request, pb.LeaseRequest)
                    else lease_model.settle(pool, credit_type, request)
                )
            except LookupError as fault:
                return fault.args[0]
            if not isinstance(answer, pb.LeaseResponse) or answer.lease_id:
                self.given[name] = (request, answer)
        else:
            answer = self.given[name][1]
        return lease_model.as_of(pool, answer, told)

    def _answer(self, customer: str, request: Any, told: Answer) -> Any:
        if isinstance(request, pb.AuthorizeRequest | pb.DebitRequest):
            products = [line.product_id for line in request.lines] or [request.product_id]
            if any(product not in PRODUCTS for product in products):
                raise LookupError("PRODUCT_NOT_FOUND")
            credit_type = PRODUCTS[products[0]]  # lines are of one credit type
            pool = self.pools[customer, credit_type]
        else:
            credit_type, pool = self._place(customer, request.hold_id)
        if getattr(request, "lines", ()):
            return _of_lines(pool, credit_type, request, getattr(told, "hold_id", ""))
        match request:
            case pb.CaptureRequest() if request.WhichOneof("actual") is None and _lines_of(pool, request):
                return _capture_lines(pool, credit_type, request)
            case pb.AuthorizeRequest():
                return _authorize(pool, credit_type, request, getattr(told, "hold_id", ""))
            case pb.DebitRequest():
                return _debit(pool, credit_type, request)
            case pb.CaptureRequest():
                amount, in_units = _amount(request, "actual")
                captured, billed, released, short, is_late = pool.capture(request.hold_id, amount, in_units)
                return pb.CaptureResponse(
                    captured_micros=captured,
                    overage_micros=billed,
                    released_micros=released,
                    shortfall_micros=short,
                    is_late=is_late,
                    credit_type_id=credit_type,
                    available_micros=_room(pool, pool.holds[request.hold_id])[0],
                )
            case pb.ReleaseRequest():
                return pb.ReleaseResponse(
                    released_micros=pool.release(request.hold_id),
                    credit_type_id=credit_type,
                    available_micros=_room(pool, pool.holds[request.hold_id])[0],
                )
            case _:
                return _extend(pool, credit_type, request)

    def _reached_cap(self, customer: str, request: Any, told: Answer) -> pb.SpendCapUse:
        """Return the cap that denies a request. The Ledger chose its id."""
        if isinstance(request, pb.ExtendHoldRequest):
            _, pool = self._place(customer, request.hold_id)
            user = pool.holds[request.hold_id].user
        else:
            products = [line.product_id for line in request.lines] or [request.product_id]
            pool, user = self.pools[customer, PRODUCTS[products[0]]], request.group_values["user_id"]
        _, window, limit = pool.headrooms(user)[0]
        start, end = _window(pool, window)
        return pb.SpendCapUse(
            spend_cap_id=told.reached_cap.spend_cap_id,
            group_key="user_id",
            group_value=user,
            limit_micros=limit,
            used_micros=pool.used(user, window),
            window_start_time=timestamp(start),
            window_end_time=timestamp(end),
            scope=pb.CAP_SCOPE_GROUP_VALUE,
            owner=pb.CAP_OWNER_VENDOR,
        )

    def _full_cap(self, customer: str, request: pb.AuthorizeRequest, told: Answer) -> pb.ConcurrencyCapUse:
        """Return the concurrency cap that denies a request. The Ledger chose its id, and one of two alike."""
        products = [line.product_id for line in request.lines] or [request.product_id]
        pool, user = self.pools[customer, PRODUCTS[products[0]]], request.group_values["user_id"]
        full = []
        for who, most in pool.limits(user).items():
            ends = sorted(hold.end for hold in pool.alive() if who in (hold.user, "*"))
            if len(ends) >= most:
                free = ends[len(ends) - most] if most else NEVER
                full.append((free, who == told.reached_concurrency_cap.group_value, who, most, len(ends)))
        free, _, who, most, opened = max(full)
        use = pb.ConcurrencyCapUse(
            concurrency_cap_id=told.reached_concurrency_cap.concurrency_cap_id,
            group_key="" if who == "*" else "user_id",
            group_value="" if who == "*" else who,
            holds_max=most,
            open_holds=opened,
        )
        if free < NEVER:
            use.free_time.CopyFrom(timestamp(free))
        return use

    def _place(self, customer: str, hold_id: str) -> tuple[str, Pool]:
        for (owner, credit_type), pool in self.pools.items():
            if owner == customer and hold_id in pool.holds:
                return credit_type, pool
        raise LookupError("HOLD_NOT_FOUND")


def _window(pool: Pool, window: str) -> tuple[datetime, datetime]:
    midnight = pool.now.replace(hour=0, minute=0, second=0, microsecond=0)
    if window == "DAY":
        return midnight, midnight + timedelta(days=1)
    if window == "WEEK":
        monday = midnight - timedelta(days=midnight.weekday())
        return monday, monday + timedelta(days=7)
    if window == "MONTH":
        return midnight.replace(day=1), add_months(midnight.replace(day=1), 1)
    starts = (add_months(pool.start, number) for number in range(-1, 99))
    return pool.month(), next(at for at in starts if at > pool.now)


def _authorize(pool: Pool, credit_type: str, request: pb.AuthorizeRequest, hold_id: str) -> Any:
    ask = _ask(request)
    ttl = request.hold_ttl.ToTimedelta() if request.HasField("hold_ttl") else TTL_DEFAULT
    reason = pool.authorize(hold_id, ask, ttl, request.allow_partial)
    answer = pb.AuthorizeResponse(**_decision(pool, credit_type, ask, reason))
    if not reason:
        hold = pool.holds[hold_id]
        answer.hold_id = hold_id
        answer.held_micros, answer.overage_held_micros = pool.reserved(hold), hold.overage
        answer.held_quantity_micros = hold.amount if ask.in_units else 0
        answer.expire_time.CopyFrom(timestamp(hold.end))
    return answer


def _debit(pool: Pool, credit_type: str, request: pb.DebitRequest) -> Any:
    ask = _ask(request)
    reason, debited, billed = pool.debit(ask)
    decision = _decision(pool, credit_type, ask, reason)
    return pb.DebitResponse(debited_micros=debited, overage_micros=billed, **decision)


def _of_lines(pool: Pool, credit_type: str, request: Any, hold_id: str) -> Any:
    if isinstance(request, pb.CaptureRequest):
        return _capture_lines(pool, credit_type, request)
    asks = [_ask_of_line(request, line) for line in request.lines]
    if isinstance(request, pb.DebitRequest):
        reason, costs, billed = pool.debit_lines(asks)
        answer = pb.DebitResponse(**_decision_of_lines(pool, credit_type, asks, reason))
        answer.debited_micros, answer.overage_micros = 0 if reason else sum(costs), sum(billed)
    else:
        ttl = request.hold_ttl.ToTimedelta() if request.HasField("hold_ttl") else TTL_DEFAULT
        reason, costs, billed = pool.authorize_lines(hold_id, asks, ttl)
        answer = pb.AuthorizeResponse(**_decision_of_lines(pool, credit_type, asks, reason))
        if not reason:
            answer.hold_id, answer.held_micros = hold_id, sum(costs)
            answer.overage_held_micros = sum(billed)
            answer.expire_time.CopyFrom(timestamp(pool.holds[hold_id].end))
    if not reason:
        for ask, credits, overage in zip(asks, costs, billed, strict=True):
            answer.lines.add(
                product_id=ask.product,
                quantity_micros=ask.amount,
                credits_micros=credits,
                overage_micros=overage,
            )
    return answer


def _capture_lines(pool: Pool, credit_type: str, request: pb.CaptureRequest) -> pb.CaptureResponse:
    """Capture named lines, or all of them."""
    lines = _lines_of(pool, request)
    named = {line.product_id: line.quantity_micros for line in request.lines}
    used = [named.get(one.product, 0) if named else one.amount for one in lines]
    came_to, released, is_late = pool.capture_lines(request.hold_id, used)
    return pb.CaptureResponse(
        captured_micros=sum(credits - short for credits, short, _ in came_to),
        overage_micros=sum(billed for _, _, billed in came_to),
        released_micros=released,
        shortfall_micros=sum(short for _, short, _ in came_to),
        is_late=is_late,
        credit_type_id=credit_type,
        available_micros=_room(pool, pool.holds[request.hold_id])[0],
        lines=[
            pb.LineResult(
                product_id=one.product,
                quantity_micros=amount,
                credits_micros=credits - short,
                shortfall_micros=short,
                overage_micros=billed,
            )
            for one, amount, (credits, short, billed) in zip(lines, used, came_to, strict=True)
        ],
    )


def _lines_of(pool: Pool, request: pb.CaptureRequest) -> list[Thing]:
    return list(pool.holds[request.hold_id].lines)


def _ask_of_line(request: Any, line: pb.UsageLine) -> Thing:
    user = request.group_values.get("user_id", "")
    return Thing(product=line.product_id, user=user, amount=line.quantity_micros, in_units=True)


def _decision_of_lines(pool: Pool, credit_type: str, asks: list[Thing], reason: str) -> dict[str, Any]:
    decision = {
        "decision": pb.DECISION_DENIED if reason else pb.DECISION_ALLOWED,
        "denial_reason": _reason(reason),
    }
    if reason in BARRED:
        return decision
    rooms = [pool.room(ask.product, ask.user) for ask in asks]
    payable = min(pool.payable(ask.product, ask.user) for ask in asks)
    return decision | {
        "credit_type_id": credit_type,
        "available_micros": min(available for available, _ in rooms),
        "affordable_credits_micros": 0 if reason == FULL else payable,
    }


def _extend(pool: Pool, credit_type: str, request: pb.ExtendHoldRequest) -> Any:
    amount, in_units = _amount(request, "additional")
    ttl = request.hold_ttl.ToTimedelta() if request.HasField("hold_ttl") else timedelta(0)
    reason = pool.extend(request.hold_id, amount or 0, in_units, ttl)
    hold = pool.holds[request.hold_id]
    available, affordable = _room(pool, hold)
    return pb.ExtendHoldResponse(
        decision=pb.DECISION_DENIED if reason else pb.DECISION_ALLOWED,
        denial_reason=_reason(reason),
        held_micros=pool.reserved(hold),
        overage_held_micros=hold.overage,
        credit_type_id=credit_type,
        available_micros=available,
        affordable_credits_micros=0 if reason in BARRED else affordable,
        expire_time=timestamp(hold.end),
    )


def _ask(request: Any) -> Thing:
    amount, in_units = _amount(request, "amount")
    return Thing(
        product=request.product_id,
        user=request.group_values.get("user_id", ""),
        amount=amount,
        in_units=in_units,
    )


def _amount(request: Any, name: str) -> tuple[int | None, bool]:
    which = request.WhichOneof(name)
    return (None, False) if which is None else (getattr(request, which), which == "quantity_micros")


def _room(pool: Pool, of: Thing) -> tuple[int, int]:
    products = [line.product for line in getattr(of, "lines", ())] or [of.product]
    rooms = [pool.room(product, of.user) for product in products]
    available = min(room for room, _ in rooms)
    return available, min(available + pool.overage_room(), rooms[0][1])


def _decision(pool: Pool, credit_type: str, ask: Thing, reason: str) -> Any:
    decision = {
        "decision": pb.DECISION_DENIED if reason else pb.DECISION_ALLOWED,
        "denial_reason": _reason(reason),
    }
    if reason in BARRED:
        return decision
    available, affordable = _room(pool, ask)
    affordable = 0 if reason == FULL else affordable
    return decision | {
        "credit_type_id": credit_type,
        "available_micros": available,
        "affordable_credits_micros": affordable,
        "affordable_quantity_micros": worth(affordable, True, pool.prices[ask.product]),
    }


def _reason(reason: str) -> Any:
    return pb.DenialReason.Value(f"DENIAL_REASON_{reason}" if reason else "DENIAL_REASON_UNSPECIFIED")
