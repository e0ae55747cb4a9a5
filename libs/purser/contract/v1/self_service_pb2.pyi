import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from purser.contract.v1 import contract_pb2 as _contract_pb2
from purser.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListTopUpOffersRequest(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: str
    def __init__(self, customer: _Optional[str] = ...) -> None: ...

class ListTopUpOffersResponse(_message.Message):
    __slots__ = ("offers",)
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    offers: _containers.RepeatedCompositeFieldContainer[TopUpOffer]
    def __init__(self, offers: _Optional[_Iterable[_Union[TopUpOffer, _Mapping]]] = ...) -> None: ...

class TopUpOffer(_message.Message):
    __slots__ = ("contract_id", "contract_name", "top_up_pack_id", "name", "credit_type_id", "amount_micros", "price", "lifetime")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_NAME_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_PACK_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    contract_name: str
    top_up_pack_id: str
    name: str
    credit_type_id: str
    amount_micros: int
    price: _money_pb2.Money
    lifetime: _duration_pb2.Duration
    def __init__(self, contract_id: _Optional[str] = ..., contract_name: _Optional[str] = ..., top_up_pack_id: _Optional[str] = ..., name: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., amount_micros: _Optional[int] = ..., price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class BuyTopUpRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "top_up_pack_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_PACK_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    top_up_pack_id: str
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., top_up_pack_id: _Optional[str] = ...) -> None: ...

class BuyTopUpResponse(_message.Message):
    __slots__ = ("top_up", "invoice")
    TOP_UP_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    top_up: _contract_pb2.TopUp
    invoice: _contract_pb2.Invoice
    def __init__(self, top_up: _Optional[_Union[_contract_pb2.TopUp, _Mapping]] = ..., invoice: _Optional[_Union[_contract_pb2.Invoice, _Mapping]] = ...) -> None: ...

class AdjustSeatsRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "subscription_id", "quantity_delta", "assign_seat_ids", "unassign_seat_ids", "transfers")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_DELTA_FIELD_NUMBER: _ClassVar[int]
    ASSIGN_SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    UNASSIGN_SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    subscription_id: str
    quantity_delta: int
    assign_seat_ids: _containers.RepeatedScalarFieldContainer[str]
    unassign_seat_ids: _containers.RepeatedScalarFieldContainer[str]
    transfers: _containers.RepeatedCompositeFieldContainer[_contract_pb2.SeatTransfer]
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., quantity_delta: _Optional[int] = ..., assign_seat_ids: _Optional[_Iterable[str]] = ..., unassign_seat_ids: _Optional[_Iterable[str]] = ..., transfers: _Optional[_Iterable[_Union[_contract_pb2.SeatTransfer, _Mapping]]] = ...) -> None: ...

class AdjustSeatsResponse(_message.Message):
    __slots__ = ("seat_change", "subscription", "invoice")
    SEAT_CHANGE_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    seat_change: _contract_pb2.SeatChange
    subscription: _contract_pb2.Subscription
    invoice: _contract_pb2.Invoice
    def __init__(self, seat_change: _Optional[_Union[_contract_pb2.SeatChange, _Mapping]] = ..., subscription: _Optional[_Union[_contract_pb2.Subscription, _Mapping]] = ..., invoice: _Optional[_Union[_contract_pb2.Invoice, _Mapping]] = ...) -> None: ...

class PreviewAdjustSeatsRequest(_message.Message):
    __slots__ = ("contract_id", "subscription_id", "quantity_delta")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_DELTA_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    subscription_id: str
    quantity_delta: int
    def __init__(self, contract_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., quantity_delta: _Optional[int] = ...) -> None: ...

class PreviewAdjustSeatsResponse(_message.Message):
    __slots__ = ("quantity_after", "lines", "total", "credits")
    QUANTITY_AFTER_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    quantity_after: int
    lines: _containers.RepeatedCompositeFieldContainer[_contract_pb2.InvoiceLine]
    total: _money_pb2.Money
    credits: _containers.RepeatedCompositeFieldContainer[_contract_pb2.SeatChangeCredits]
    def __init__(self, quantity_after: _Optional[int] = ..., lines: _Optional[_Iterable[_Union[_contract_pb2.InvoiceLine, _Mapping]]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., credits: _Optional[_Iterable[_Union[_contract_pb2.SeatChangeCredits, _Mapping]]] = ...) -> None: ...

class OwnPlanOffer(_message.Message):
    __slots__ = ("plan_offer_id", "name", "description", "subscriptions", "grant_schedules", "included_credits", "money_back", "unit_prices", "unavailable_reason", "unavailable_message")
    PLAN_OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    INCLUDED_CREDITS_FIELD_NUMBER: _ClassVar[int]
    MONEY_BACK_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICES_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_REASON_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    plan_offer_id: str
    name: str
    description: str
    subscriptions: _containers.RepeatedCompositeFieldContainer[_contract_pb2.SubscriptionTerms]
    grant_schedules: _containers.RepeatedCompositeFieldContainer[_contract_pb2.GrantScheduleTerms]
    included_credits: _contract_pb2.IncludedCredits
    money_back: _contract_pb2.MoneyBack
    unit_prices: _containers.RepeatedCompositeFieldContainer[_money_pb2.Money]
    unavailable_reason: str
    unavailable_message: str
    def __init__(self, plan_offer_id: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., subscriptions: _Optional[_Iterable[_Union[_contract_pb2.SubscriptionTerms, _Mapping]]] = ..., grant_schedules: _Optional[_Iterable[_Union[_contract_pb2.GrantScheduleTerms, _Mapping]]] = ..., included_credits: _Optional[_Union[_contract_pb2.IncludedCredits, str]] = ..., money_back: _Optional[_Union[_contract_pb2.MoneyBack, str]] = ..., unit_prices: _Optional[_Iterable[_Union[_money_pb2.Money, _Mapping]]] = ..., unavailable_reason: _Optional[str] = ..., unavailable_message: _Optional[str] = ...) -> None: ...

class ListOwnPlanOffersRequest(_message.Message):
    __slots__ = ("contract_id", "page_size", "page_token")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    page_size: int
    page_token: str
    def __init__(self, contract_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListOwnPlanOffersResponse(_message.Message):
    __slots__ = ("plan_offers", "next_page_token")
    PLAN_OFFERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    plan_offers: _containers.RepeatedCompositeFieldContainer[OwnPlanOffer]
    next_page_token: str
    def __init__(self, plan_offers: _Optional[_Iterable[_Union[OwnPlanOffer, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PreviewOwnPlanChangeRequest(_message.Message):
    __slots__ = ("contract_id", "plan_offer_id", "quantities")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    plan_offer_id: str
    quantities: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, contract_id: _Optional[str] = ..., plan_offer_id: _Optional[str] = ..., quantities: _Optional[_Iterable[int]] = ...) -> None: ...

class PreviewOwnPlanChangeResponse(_message.Message):
    __slots__ = ("lines", "total", "credits", "granted_micros", "off_due", "quantities")
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    GRANTED_MICROS_FIELD_NUMBER: _ClassVar[int]
    OFF_DUE_FIELD_NUMBER: _ClassVar[int]
    QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[_contract_pb2.InvoiceLine]
    total: _money_pb2.Money
    credits: _containers.RepeatedCompositeFieldContainer[_contract_pb2.PlanCredit]
    granted_micros: _containers.RepeatedScalarFieldContainer[int]
    off_due: _money_pb2.Money
    quantities: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, lines: _Optional[_Iterable[_Union[_contract_pb2.InvoiceLine, _Mapping]]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., credits: _Optional[_Iterable[_Union[_contract_pb2.PlanCredit, _Mapping]]] = ..., granted_micros: _Optional[_Iterable[int]] = ..., off_due: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., quantities: _Optional[_Iterable[int]] = ...) -> None: ...

class ChangeOwnPlanRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "plan_offer_id", "quantities")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    plan_offer_id: str
    quantities: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., plan_offer_id: _Optional[str] = ..., quantities: _Optional[_Iterable[int]] = ...) -> None: ...

class ChangeOwnPlanResponse(_message.Message):
    __slots__ = ("plan_change", "contract", "invoice")
    PLAN_CHANGE_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    plan_change: _contract_pb2.PlanChange
    contract: _contract_pb2.Contract
    invoice: _contract_pb2.Invoice
    def __init__(self, plan_change: _Optional[_Union[_contract_pb2.PlanChange, _Mapping]] = ..., contract: _Optional[_Union[_contract_pb2.Contract, _Mapping]] = ..., invoice: _Optional[_Union[_contract_pb2.Invoice, _Mapping]] = ...) -> None: ...
