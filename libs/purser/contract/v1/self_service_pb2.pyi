import datetime

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
