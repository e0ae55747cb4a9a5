import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from purser.contract.v1 import contract_pb2 as _contract_pb2
from purser.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PaymentState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_STATE_UNSPECIFIED: _ClassVar[PaymentState]
    PAYMENT_STATE_NEW: _ClassVar[PaymentState]
    PAYMENT_STATE_OPEN: _ClassVar[PaymentState]
    PAYMENT_STATE_ACTION_REQUIRED: _ClassVar[PaymentState]
    PAYMENT_STATE_PROCESSING: _ClassVar[PaymentState]
    PAYMENT_STATE_SUCCEEDED: _ClassVar[PaymentState]
    PAYMENT_STATE_CANCELLED: _ClassVar[PaymentState]
    PAYMENT_STATE_REFUND_DUE: _ClassVar[PaymentState]
    PAYMENT_STATE_REFUNDED: _ClassVar[PaymentState]

class PaymentSetupState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_SETUP_STATE_UNSPECIFIED: _ClassVar[PaymentSetupState]
    PAYMENT_SETUP_STATE_NEW: _ClassVar[PaymentSetupState]
    PAYMENT_SETUP_STATE_OPEN: _ClassVar[PaymentSetupState]
    PAYMENT_SETUP_STATE_ACTION_REQUIRED: _ClassVar[PaymentSetupState]
    PAYMENT_SETUP_STATE_SUCCEEDED: _ClassVar[PaymentSetupState]
    PAYMENT_SETUP_STATE_CANCELLED: _ClassVar[PaymentSetupState]

class DunningStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DUNNING_STATUS_UNSPECIFIED: _ClassVar[DunningStatus]
    DUNNING_STATUS_COLLECTING: _ClassVar[DunningStatus]
    DUNNING_STATUS_CARRIED: _ClassVar[DunningStatus]
    DUNNING_STATUS_STOPPED: _ClassVar[DunningStatus]
    DUNNING_STATUS_SETTLED: _ClassVar[DunningStatus]
PAYMENT_STATE_UNSPECIFIED: PaymentState
PAYMENT_STATE_NEW: PaymentState
PAYMENT_STATE_OPEN: PaymentState
PAYMENT_STATE_ACTION_REQUIRED: PaymentState
PAYMENT_STATE_PROCESSING: PaymentState
PAYMENT_STATE_SUCCEEDED: PaymentState
PAYMENT_STATE_CANCELLED: PaymentState
PAYMENT_STATE_REFUND_DUE: PaymentState
PAYMENT_STATE_REFUNDED: PaymentState
PAYMENT_SETUP_STATE_UNSPECIFIED: PaymentSetupState
PAYMENT_SETUP_STATE_NEW: PaymentSetupState
PAYMENT_SETUP_STATE_OPEN: PaymentSetupState
PAYMENT_SETUP_STATE_ACTION_REQUIRED: PaymentSetupState
PAYMENT_SETUP_STATE_SUCCEEDED: PaymentSetupState
PAYMENT_SETUP_STATE_CANCELLED: PaymentSetupState
DUNNING_STATUS_UNSPECIFIED: DunningStatus
DUNNING_STATUS_COLLECTING: DunningStatus
DUNNING_STATUS_CARRIED: DunningStatus
DUNNING_STATUS_STOPPED: DunningStatus
DUNNING_STATUS_SETTLED: DunningStatus

class PaymentMethod(_message.Message):
    __slots__ = ("customer_id", "provider_customer_id", "payment_method_id", "label", "update_time")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    provider_customer_id: str
    payment_method_id: str
    label: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, customer_id: _Optional[str] = ..., provider_customer_id: _Optional[str] = ..., payment_method_id: _Optional[str] = ..., label: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SetPaymentMethodRequest(_message.Message):
    __slots__ = ("request_id", "customer", "provider_customer_id", "payment_method_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    provider_customer_id: str
    payment_method_id: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., provider_customer_id: _Optional[str] = ..., payment_method_id: _Optional[str] = ...) -> None: ...

class SetPaymentMethodResponse(_message.Message):
    __slots__ = ("payment_method",)
    PAYMENT_METHOD_FIELD_NUMBER: _ClassVar[int]
    payment_method: PaymentMethod
    def __init__(self, payment_method: _Optional[_Union[PaymentMethod, _Mapping]] = ...) -> None: ...

class GetPaymentMethodRequest(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: str
    def __init__(self, customer: _Optional[str] = ...) -> None: ...

class GetPaymentMethodResponse(_message.Message):
    __slots__ = ("payment_method",)
    PAYMENT_METHOD_FIELD_NUMBER: _ClassVar[int]
    payment_method: PaymentMethod
    def __init__(self, payment_method: _Optional[_Union[PaymentMethod, _Mapping]] = ...) -> None: ...

class PaymentSetup(_message.Message):
    __slots__ = ("payment_setup_id", "customer_id", "state", "provider_customer_id", "provider_setup_id", "client_secret", "redirect_url", "publishable_key", "create_time")
    PAYMENT_SETUP_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_SETUP_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SECRET_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_URL_FIELD_NUMBER: _ClassVar[int]
    PUBLISHABLE_KEY_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    payment_setup_id: str
    customer_id: str
    state: PaymentSetupState
    provider_customer_id: str
    provider_setup_id: str
    client_secret: str
    redirect_url: str
    publishable_key: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, payment_setup_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., state: _Optional[_Union[PaymentSetupState, str]] = ..., provider_customer_id: _Optional[str] = ..., provider_setup_id: _Optional[str] = ..., client_secret: _Optional[str] = ..., redirect_url: _Optional[str] = ..., publishable_key: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreatePaymentSetupRequest(_message.Message):
    __slots__ = ("request_id", "customer")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ...) -> None: ...

class CreatePaymentSetupResponse(_message.Message):
    __slots__ = ("payment_setup",)
    PAYMENT_SETUP_FIELD_NUMBER: _ClassVar[int]
    payment_setup: PaymentSetup
    def __init__(self, payment_setup: _Optional[_Union[PaymentSetup, _Mapping]] = ...) -> None: ...

class GetPaymentSetupRequest(_message.Message):
    __slots__ = ("payment_setup_id",)
    PAYMENT_SETUP_ID_FIELD_NUMBER: _ClassVar[int]
    payment_setup_id: str
    def __init__(self, payment_setup_id: _Optional[str] = ...) -> None: ...

class GetPaymentSetupResponse(_message.Message):
    __slots__ = ("payment_setup",)
    PAYMENT_SETUP_FIELD_NUMBER: _ClassVar[int]
    payment_setup: PaymentSetup
    def __init__(self, payment_setup: _Optional[_Union[PaymentSetup, _Mapping]] = ...) -> None: ...

class PayTopUpRequest(_message.Message):
    __slots__ = ("request_id", "top_up_id", "payment_method_id", "return_url")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_ID_FIELD_NUMBER: _ClassVar[int]
    RETURN_URL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    top_up_id: str
    payment_method_id: str
    return_url: str
    def __init__(self, request_id: _Optional[str] = ..., top_up_id: _Optional[str] = ..., payment_method_id: _Optional[str] = ..., return_url: _Optional[str] = ...) -> None: ...

class PayTopUpResponse(_message.Message):
    __slots__ = ("top_up", "invoice")
    TOP_UP_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    top_up: _contract_pb2.TopUp
    invoice: _contract_pb2.Invoice
    def __init__(self, top_up: _Optional[_Union[_contract_pb2.TopUp, _Mapping]] = ..., invoice: _Optional[_Union[_contract_pb2.Invoice, _Mapping]] = ...) -> None: ...

class GetTopUpPaymentRequest(_message.Message):
    __slots__ = ("top_up_id",)
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    top_up_id: str
    def __init__(self, top_up_id: _Optional[str] = ...) -> None: ...

class GetTopUpPaymentResponse(_message.Message):
    __slots__ = ("state", "amount", "provider_payment_id", "client_secret", "redirect_url")
    STATE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SECRET_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_URL_FIELD_NUMBER: _ClassVar[int]
    state: PaymentState
    amount: _money_pb2.Money
    provider_payment_id: str
    client_secret: str
    redirect_url: str
    def __init__(self, state: _Optional[_Union[PaymentState, str]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., provider_payment_id: _Optional[str] = ..., client_secret: _Optional[str] = ..., redirect_url: _Optional[str] = ...) -> None: ...

class Dunning(_message.Message):
    __slots__ = ("status", "attempts", "next_attempt_time", "last_payment_error", "suspends")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_PAYMENT_ERROR_FIELD_NUMBER: _ClassVar[int]
    SUSPENDS_FIELD_NUMBER: _ClassVar[int]
    status: DunningStatus
    attempts: int
    next_attempt_time: _timestamp_pb2.Timestamp
    last_payment_error: _contract_pb2.PaymentError
    suspends: bool
    def __init__(self, status: _Optional[_Union[DunningStatus, str]] = ..., attempts: _Optional[int] = ..., next_attempt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_payment_error: _Optional[_Union[_contract_pb2.PaymentError, _Mapping]] = ..., suspends: _Optional[bool] = ...) -> None: ...

class PayInvoiceRequest(_message.Message):
    __slots__ = ("request_id", "invoice_id", "payment_method_id", "return_url")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_ID_FIELD_NUMBER: _ClassVar[int]
    RETURN_URL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    invoice_id: str
    payment_method_id: str
    return_url: str
    def __init__(self, request_id: _Optional[str] = ..., invoice_id: _Optional[str] = ..., payment_method_id: _Optional[str] = ..., return_url: _Optional[str] = ...) -> None: ...

class PayInvoiceResponse(_message.Message):
    __slots__ = ("invoice", "state", "dunning")
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DUNNING_FIELD_NUMBER: _ClassVar[int]
    invoice: _contract_pb2.Invoice
    state: PaymentState
    dunning: Dunning
    def __init__(self, invoice: _Optional[_Union[_contract_pb2.Invoice, _Mapping]] = ..., state: _Optional[_Union[PaymentState, str]] = ..., dunning: _Optional[_Union[Dunning, _Mapping]] = ...) -> None: ...

class RefundInvoicePaymentRequest(_message.Message):
    __slots__ = ("request_id", "invoice_id", "invoice_payment_id", "amount", "with_credit_note", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    WITH_CREDIT_NOTE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    invoice_id: str
    invoice_payment_id: str
    amount: _money_pb2.Money
    with_credit_note: bool
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., invoice_id: _Optional[str] = ..., invoice_payment_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., with_credit_note: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class RefundInvoicePaymentResponse(_message.Message):
    __slots__ = ("invoice", "refund")
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    REFUND_FIELD_NUMBER: _ClassVar[int]
    invoice: _contract_pb2.Invoice
    refund: _contract_pb2.InvoiceRefund
    def __init__(self, invoice: _Optional[_Union[_contract_pb2.Invoice, _Mapping]] = ..., refund: _Optional[_Union[_contract_pb2.InvoiceRefund, _Mapping]] = ...) -> None: ...

class GetInvoicePaymentRequest(_message.Message):
    __slots__ = ("invoice_id",)
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    invoice_id: str
    def __init__(self, invoice_id: _Optional[str] = ...) -> None: ...

class GetInvoicePaymentResponse(_message.Message):
    __slots__ = ("state", "amount", "invoice_ids", "provider_payment_id", "client_secret", "redirect_url", "dunning")
    STATE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    INVOICE_IDS_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SECRET_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_URL_FIELD_NUMBER: _ClassVar[int]
    DUNNING_FIELD_NUMBER: _ClassVar[int]
    state: PaymentState
    amount: _money_pb2.Money
    invoice_ids: _containers.RepeatedScalarFieldContainer[str]
    provider_payment_id: str
    client_secret: str
    redirect_url: str
    dunning: Dunning
    def __init__(self, state: _Optional[_Union[PaymentState, str]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., invoice_ids: _Optional[_Iterable[str]] = ..., provider_payment_id: _Optional[str] = ..., client_secret: _Optional[str] = ..., redirect_url: _Optional[str] = ..., dunning: _Optional[_Union[Dunning, _Mapping]] = ...) -> None: ...
