# SPDX-License-Identifier: Apache-2.0
"""A customer's standing for a product: what the gate checks before caps and credits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from meshkit.period import Period, period_at
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.errors import RateNotFound, property_problem
from services.ledger.domain.gate.decision import Amount, Ask, DenialReason, Entitlement
from services.ledger.domain.gate.hold import Hold
from services.ledger.domain.rating.dimensions import dimension_values
from services.ledger.domain.rating.price import Pricing
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.properties import PropertyProblem
from services.ledger.domain.rating.rate import PriceList, Rate, rate_for
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey

ENTITLEMENTS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedContract:
    """A contract, in force over `[start_time, end_time)`, and what its rate card says of one product."""

    contract_id: str
    start_time: datetime
    end_time: datetime | None
    prices: PriceList

    def is_in_force(self, at: datetime) -> bool:
        return self.start_time <= at and (self.end_time is None or at < self.end_time)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """What one product costs one customer.

    anchor: start of the customer's usage periods. contracts: by start_time and contract_id; of several that price the
    product, the first one decides. turns: every instant at which a contract or a rate begins or ends, ascending.
    entitlements: cached by dimension values. They never influence a decision.
    """

    product: UsageProduct
    anchor: datetime
    contracts: tuple[PricedContract, ...]
    turns: tuple[datetime, ...]
    entitlements: dict[tuple[tuple[str, str], ...], tuple[Period, Entitlement | None]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def entitlement_at(self, at: datetime, properties: Mapping[str, str]) -> Entitlement | None:
        """Return what entitles to the product at `at`, and at what price; None if no contract in force prices it.

        properties: those of the request. Raises RateNotFound if it is priced, but not for these dimension values.
        """
        product = self.product
        values = dimension_values(product.dimensions, properties) if product.dimensions else {}
        key = tuple(values.items())
        known = self.entitlements.get(key)
        if known is None or not known[0].contains(at):
            if len(self.entitlements) == ENTITLEMENTS_MAX:
                self.entitlements.clear()
            known = self.entitlements[key] = (self._span(at), self._entitlement(at, values))
        return known[1]

    def is_under_contract(self, at: datetime) -> bool:
        """Whether any contract is in force at `at`, whatever it prices."""
        return any(contract.is_in_force(at) for contract in self.contracts)

    def entitles_at(self, at: datetime) -> bool:
        """Whether a contract in force prices the product at `at`, for any dimension values."""
        return any(
            contract.is_in_force(at) and self._prices_anything(contract.prices, at)
            for contract in self.contracts
        )

    def lines_at(self, at: datetime) -> Iterator[Entitlement]:
        """Yield what each line of rates in force at `at` entitles to, in the order in which they decide.

        That of a request is the first one whose dimension values the request has.
        """
        for contract in self.contracts:
            if contract.is_in_force(at):
                for keys, lines in contract.prices.lines:
                    for values in lines:
                        dimensions = dict(zip(keys, values, strict=True))
                        rate = self._rate(contract.prices, at, dimensions)
                        if rate is not None:
                            yield self._priced(contract, rate, at, dimensions)

    def _prices_anything(self, prices: PriceList, at: datetime) -> bool:
        return any(
            self._rate(prices, at, dict(zip(keys, values, strict=True))) is not None
            for keys, lines in prices.lines
            for values in lines
        )

    def _entitlement(self, at: datetime, values: Mapping[str, str]) -> Entitlement | None:
        is_priced = False
        for contract in self.contracts:
            if contract.is_in_force(at):
                rate = self._rate(contract.prices, at, values)
                if rate is not None:
                    return self._priced(contract, rate, at, values)
                is_priced = is_priced or self._prices_anything(contract.prices, at)
        if is_priced:
            raise RateNotFound(product_id=self.product.product_id, dimension_values=values)
        return None

    def _rate(self, prices: PriceList, at: datetime, values: Mapping[str, str]) -> Rate | None:
        keeps = self.product.metric.aggregation.keeps_rates
        return rate_for(prices, values, at=at, period=period_at(self.anchor, 1, at), keeps=keeps)

    def _priced(
        self, contract: PricedContract, rate: Rate, at: datetime, values: Mapping[str, str]
    ) -> Entitlement:
        return Entitlement(
            contract_id=contract.contract_id,
            anchor=self.anchor,
            credit_type_id=rate.credit_type_id,
            price=MeteredPrice(
                meter_key=MeterKey(rate.root_id, period_at(self.anchor, 1, at).start),
                product_id=self.product.product_id,
                rate_id=rate.rate_id,
                pricing=Pricing(rate.price, self.product.conversion),
            ),
            dimension_values=values,
        )

    def _span(self, at: datetime) -> Period:
        """Return a span around `at` in which nothing changes: no turn, and one usage period."""
        period = period_at(self.anchor, 1, at)
        return Period(
            max([period.start, *(turn for turn in self.turns if turn <= at)]),
            min([period.end, *(turn for turn in self.turns if turn > at)]),
        )


def price_book(product: UsageProduct, anchor: datetime, contracts: Sequence[PricedContract]) -> PriceBook:
    """Prepare what a product costs a customer. contracts: in any order."""
    turns: set[datetime] = set()
    for contract in contracts:
        turns.add(contract.start_time)
        turns.update(rate.effective_time for rate in _rates(contract.prices))
        ends = [contract.end_time, *(rate.end_time for rate in _rates(contract.prices))]
        turns.update(end for end in ends if end is not None)
    return PriceBook(
        product=product,
        anchor=anchor,
        contracts=tuple(sorted(contracts, key=lambda one: (one.start_time, one.contract_id))),
        turns=tuple(sorted(turns)),
    )


def _rates(prices: PriceList) -> Iterator[Rate]:
    for _, lines in prices.lines:
        for line in lines.values():
            yield from line


@dataclass(slots=True)
class CatalogCopies:
    """What has been read of the Catalog's copies in one epoch: products, price lists by rate card and product,
    and the products whose metrics count an event type.
    """

    epoch: int = 0
    products: dict[ProductId, UsageProduct] = field(default_factory=dict)
    price_lists: dict[tuple[str, ProductId], PriceList] = field(default_factory=dict)
    by_event_type: dict[str, tuple[ProductId, ...]] = field(default_factory=dict)

    def at(self, epoch: int) -> "CatalogCopies":
        """Return them if they are of this epoch, and empty ones otherwise."""
        return self if self.epoch == epoch else CatalogCopies(epoch)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRecord:
    """What the gate needs to know of a customer."""

    customer_id: CustomerId
    is_suspended: bool


def ask_of(
    customer: CustomerRecord,
    book: PriceBook,
    amount: Amount,
    group_values: Mapping[str, str],
    properties: Mapping[str, str],
    *,
    at: datetime,
) -> Ask | DenialReason:
    """Return the ask for caps and credits to decide, or the reason for an earlier denial.

    Raises RateNotFound, InvalidFields. Source: services/ledger/README.md, "Order of checks".
    """
    if customer.is_suspended:
        return DenialReason.CUSTOMER_SUSPENDED
    try:
        entitlement = book.entitlement_at(at, properties)
    except PropertyProblem as problem:
        raise property_problem(problem) from problem
    if entitlement is None:
        return DenialReason.NOT_ENTITLED
    product = book.product
    return Ask(
        product_id=product.product_id,
        entitlement=entitlement,
        amount=amount,
        group_values=group_values,
        counted_group_values=product.counted(group_values),
    )


def extension_of(
    customer: CustomerRecord,
    book: PriceBook,
    hold: Hold,
    amount: Amount,
    *,
    credit_type_id: CreditTypeId,
    at: datetime,
) -> Ask | DenialReason:
    """Return the ask to extend a hold, at the hold's price, or the reason for an earlier denial.

    book: of the hold's product. credit_type_id: of the hold's pool.
    """
    if customer.is_suspended:
        return DenialReason.CUSTOMER_SUSPENDED
    if not book.entitles_at(at):
        return DenialReason.NOT_ENTITLED
    return Ask(
        product_id=hold.product_id,
        entitlement=Entitlement(
            contract_id=hold.contract_id,
            anchor=hold.anchor,
            credit_type_id=credit_type_id,
            price=hold.price,
            dimension_values=hold.dimension_values,
        ),
        amount=amount,
        group_values=hold.group_values,
        counted_group_values=hold.counted_group_values,
    )
