import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AlertType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_TYPE_UNSPECIFIED: _ClassVar[AlertType]
    ALERT_TYPE_LOW_BALANCE: _ClassVar[AlertType]
    ALERT_TYPE_SPEND: _ClassVar[AlertType]
    ALERT_TYPE_LOW_PERCENTAGE: _ClassVar[AlertType]
    ALERT_TYPE_SHORTFALL: _ClassVar[AlertType]
    ALERT_TYPE_OVERAGE: _ClassVar[AlertType]
    ALERT_TYPE_GRANT_EXPIRING: _ClassVar[AlertType]
    ALERT_TYPE_LOW_SEAT_BALANCE: _ClassVar[AlertType]
    ALERT_TYPE_INVOICE_TOTAL: _ClassVar[AlertType]

class SpendWindow(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SPEND_WINDOW_UNSPECIFIED: _ClassVar[SpendWindow]
    SPEND_WINDOW_BILLING_PERIOD: _ClassVar[SpendWindow]
    SPEND_WINDOW_DAY: _ClassVar[SpendWindow]
    SPEND_WINDOW_WEEK: _ClassVar[SpendWindow]
    SPEND_WINDOW_MONTH: _ClassVar[SpendWindow]

class AlertState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_STATE_UNSPECIFIED: _ClassVar[AlertState]
    ALERT_STATE_EVALUATING: _ClassVar[AlertState]
    ALERT_STATE_OK: _ClassVar[AlertState]
    ALERT_STATE_IN_ALARM: _ClassVar[AlertState]

class AlertOwner(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_OWNER_UNSPECIFIED: _ClassVar[AlertOwner]
    ALERT_OWNER_VENDOR: _ClassVar[AlertOwner]
    ALERT_OWNER_CUSTOMER: _ClassVar[AlertOwner]

class EndpointKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENDPOINT_KIND_UNSPECIFIED: _ClassVar[EndpointKind]
    ENDPOINT_KIND_WEBHOOK: _ClassVar[EndpointKind]
    ENDPOINT_KIND_SLACK: _ClassVar[EndpointKind]
    ENDPOINT_KIND_EMAIL: _ClassVar[EndpointKind]
    ENDPOINT_KIND_METRONOME: _ClassVar[EndpointKind]

class DisableReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISABLE_REASON_UNSPECIFIED: _ClassVar[DisableReason]
    DISABLE_REASON_OPERATOR: _ClassVar[DisableReason]
    DISABLE_REASON_GONE: _ClassVar[DisableReason]
    DISABLE_REASON_FAILING: _ClassVar[DisableReason]

class DeliveryStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_STATUS_UNSPECIFIED: _ClassVar[DeliveryStatus]
    DELIVERY_STATUS_PENDING: _ClassVar[DeliveryStatus]
    DELIVERY_STATUS_DELIVERED: _ClassVar[DeliveryStatus]
    DELIVERY_STATUS_FAILED: _ClassVar[DeliveryStatus]
ALERT_TYPE_UNSPECIFIED: AlertType
ALERT_TYPE_LOW_BALANCE: AlertType
ALERT_TYPE_SPEND: AlertType
ALERT_TYPE_LOW_PERCENTAGE: AlertType
ALERT_TYPE_SHORTFALL: AlertType
ALERT_TYPE_OVERAGE: AlertType
ALERT_TYPE_GRANT_EXPIRING: AlertType
ALERT_TYPE_LOW_SEAT_BALANCE: AlertType
ALERT_TYPE_INVOICE_TOTAL: AlertType
SPEND_WINDOW_UNSPECIFIED: SpendWindow
SPEND_WINDOW_BILLING_PERIOD: SpendWindow
SPEND_WINDOW_DAY: SpendWindow
SPEND_WINDOW_WEEK: SpendWindow
SPEND_WINDOW_MONTH: SpendWindow
ALERT_STATE_UNSPECIFIED: AlertState
ALERT_STATE_EVALUATING: AlertState
ALERT_STATE_OK: AlertState
ALERT_STATE_IN_ALARM: AlertState
ALERT_OWNER_UNSPECIFIED: AlertOwner
ALERT_OWNER_VENDOR: AlertOwner
ALERT_OWNER_CUSTOMER: AlertOwner
ENDPOINT_KIND_UNSPECIFIED: EndpointKind
ENDPOINT_KIND_WEBHOOK: EndpointKind
ENDPOINT_KIND_SLACK: EndpointKind
ENDPOINT_KIND_EMAIL: EndpointKind
ENDPOINT_KIND_METRONOME: EndpointKind
DISABLE_REASON_UNSPECIFIED: DisableReason
DISABLE_REASON_OPERATOR: DisableReason
DISABLE_REASON_GONE: DisableReason
DISABLE_REASON_FAILING: DisableReason
DELIVERY_STATUS_UNSPECIFIED: DeliveryStatus
DELIVERY_STATUS_PENDING: DeliveryStatus
DELIVERY_STATUS_DELIVERED: DeliveryStatus
DELIVERY_STATUS_FAILED: DeliveryStatus

class Alert(_message.Message):
    __slots__ = ("alert_id", "name", "alert_type", "customer_id", "credit_type_id", "threshold_micros", "group_key", "group_value", "create_time", "archive_time", "rearm_micros", "quiet_period", "pause_time", "expires_within_days", "window", "product_id", "currency_code", "owner")
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALERT_TYPE_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MICROS_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    REARM_MICROS_FIELD_NUMBER: _ClassVar[int]
    QUIET_PERIOD_FIELD_NUMBER: _ClassVar[int]
    PAUSE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_WITHIN_DAYS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    alert_id: str
    name: str
    alert_type: AlertType
    customer_id: str
    credit_type_id: str
    threshold_micros: int
    group_key: str
    group_value: str
    create_time: _timestamp_pb2.Timestamp
    archive_time: _timestamp_pb2.Timestamp
    rearm_micros: int
    quiet_period: _duration_pb2.Duration
    pause_time: _timestamp_pb2.Timestamp
    expires_within_days: int
    window: SpendWindow
    product_id: str
    currency_code: str
    owner: AlertOwner
    def __init__(self, alert_id: _Optional[str] = ..., name: _Optional[str] = ..., alert_type: _Optional[_Union[AlertType, str]] = ..., customer_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., threshold_micros: _Optional[int] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rearm_micros: _Optional[int] = ..., quiet_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., pause_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_within_days: _Optional[int] = ..., window: _Optional[_Union[SpendWindow, str]] = ..., product_id: _Optional[str] = ..., currency_code: _Optional[str] = ..., owner: _Optional[_Union[AlertOwner, str]] = ...) -> None: ...

class CreateAlertRequest(_message.Message):
    __slots__ = ("request_id", "name", "alert_type", "customer_id", "credit_type_id", "threshold_micros", "group_key", "group_value", "rearm_micros", "quiet_period", "expires_within_days", "window", "product_id", "currency_code")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALERT_TYPE_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MICROS_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    REARM_MICROS_FIELD_NUMBER: _ClassVar[int]
    QUIET_PERIOD_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_WITHIN_DAYS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    alert_type: AlertType
    customer_id: str
    credit_type_id: str
    threshold_micros: int
    group_key: str
    group_value: str
    rearm_micros: int
    quiet_period: _duration_pb2.Duration
    expires_within_days: int
    window: SpendWindow
    product_id: str
    currency_code: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., alert_type: _Optional[_Union[AlertType, str]] = ..., customer_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., threshold_micros: _Optional[int] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., rearm_micros: _Optional[int] = ..., quiet_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., expires_within_days: _Optional[int] = ..., window: _Optional[_Union[SpendWindow, str]] = ..., product_id: _Optional[str] = ..., currency_code: _Optional[str] = ...) -> None: ...

class CreateAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ...) -> None: ...

class GetAlertRequest(_message.Message):
    __slots__ = ("alert_id",)
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    alert_id: str
    def __init__(self, alert_id: _Optional[str] = ...) -> None: ...

class GetAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ...) -> None: ...

class ListAlertsRequest(_message.Message):
    __slots__ = ("customer_id", "include_archived", "page_size", "page_token", "name", "owner")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    include_archived: bool
    page_size: int
    page_token: str
    name: str
    owner: AlertOwner
    def __init__(self, customer_id: _Optional[str] = ..., include_archived: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., name: _Optional[str] = ..., owner: _Optional[_Union[AlertOwner, str]] = ...) -> None: ...

class ListAlertsResponse(_message.Message):
    __slots__ = ("alerts", "next_page_token")
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    alerts: _containers.RepeatedCompositeFieldContainer[Alert]
    next_page_token: str
    def __init__(self, alerts: _Optional[_Iterable[_Union[Alert, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateAlertRequest(_message.Message):
    __slots__ = ("request_id", "alert_id", "name", "threshold_micros", "rearm_micros", "quiet_period")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MICROS_FIELD_NUMBER: _ClassVar[int]
    REARM_MICROS_FIELD_NUMBER: _ClassVar[int]
    QUIET_PERIOD_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    alert_id: str
    name: str
    threshold_micros: int
    rearm_micros: int
    quiet_period: _duration_pb2.Duration
    def __init__(self, request_id: _Optional[str] = ..., alert_id: _Optional[str] = ..., name: _Optional[str] = ..., threshold_micros: _Optional[int] = ..., rearm_micros: _Optional[int] = ..., quiet_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class UpdateAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ...) -> None: ...

class PauseAlertRequest(_message.Message):
    __slots__ = ("request_id", "alert_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    alert_id: str
    def __init__(self, request_id: _Optional[str] = ..., alert_id: _Optional[str] = ...) -> None: ...

class PauseAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ...) -> None: ...

class ResumeAlertRequest(_message.Message):
    __slots__ = ("request_id", "alert_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    alert_id: str
    def __init__(self, request_id: _Optional[str] = ..., alert_id: _Optional[str] = ...) -> None: ...

class ResumeAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ...) -> None: ...

class ArchiveAlertRequest(_message.Message):
    __slots__ = ("request_id", "alert_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    alert_id: str
    def __init__(self, request_id: _Optional[str] = ..., alert_id: _Optional[str] = ...) -> None: ...

class ArchiveAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ...) -> None: ...

class ResendAlertRequest(_message.Message):
    __slots__ = ("request_id", "alert_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    alert_id: str
    def __init__(self, request_id: _Optional[str] = ..., alert_id: _Optional[str] = ...) -> None: ...

class ResendAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ...) -> None: ...

class RepairAlertStateRequest(_message.Message):
    __slots__ = ("request_id", "alert_id", "customer_id", "group_value", "reason", "actor")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    alert_id: str
    customer_id: str
    group_value: str
    reason: str
    actor: str
    def __init__(self, request_id: _Optional[str] = ..., alert_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., group_value: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class RepairAlertStateResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: AlertStatus
    def __init__(self, status: _Optional[_Union[AlertStatus, _Mapping]] = ...) -> None: ...

class GetAlertStateRequest(_message.Message):
    __slots__ = ("alert_id", "customer_id", "page_size", "page_token")
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    alert_id: str
    customer_id: str
    page_size: int
    page_token: str
    def __init__(self, alert_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class AlertStatus(_message.Message):
    __slots__ = ("customer_id", "group_value", "state", "value_micros", "observe_time", "sequence")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VALUE_MICROS_FIELD_NUMBER: _ClassVar[int]
    OBSERVE_TIME_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    group_value: str
    state: AlertState
    value_micros: int
    observe_time: _timestamp_pb2.Timestamp
    sequence: int
    def __init__(self, customer_id: _Optional[str] = ..., group_value: _Optional[str] = ..., state: _Optional[_Union[AlertState, str]] = ..., value_micros: _Optional[int] = ..., observe_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class GetAlertStateResponse(_message.Message):
    __slots__ = ("statuses", "next_page_token")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[AlertStatus]
    next_page_token: str
    def __init__(self, statuses: _Optional[_Iterable[_Union[AlertStatus, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WebhookEndpoint(_message.Message):
    __slots__ = ("webhook_endpoint_id", "url", "create_time", "disable_time", "event_types", "header_names", "disable_reason", "kind", "recipients")
    WEBHOOK_ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DISABLE_TIME_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    HEADER_NAMES_FIELD_NUMBER: _ClassVar[int]
    DISABLE_REASON_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    webhook_endpoint_id: str
    url: str
    create_time: _timestamp_pb2.Timestamp
    disable_time: _timestamp_pb2.Timestamp
    event_types: _containers.RepeatedScalarFieldContainer[str]
    header_names: _containers.RepeatedScalarFieldContainer[str]
    disable_reason: DisableReason
    kind: EndpointKind
    recipients: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, webhook_endpoint_id: _Optional[str] = ..., url: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., disable_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event_types: _Optional[_Iterable[str]] = ..., header_names: _Optional[_Iterable[str]] = ..., disable_reason: _Optional[_Union[DisableReason, str]] = ..., kind: _Optional[_Union[EndpointKind, str]] = ..., recipients: _Optional[_Iterable[str]] = ...) -> None: ...

class CustomHeader(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class CreateWebhookEndpointRequest(_message.Message):
    __slots__ = ("request_id", "url", "event_types", "headers", "kind", "recipients")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    url: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    headers: _containers.RepeatedCompositeFieldContainer[CustomHeader]
    kind: EndpointKind
    recipients: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., url: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., headers: _Optional[_Iterable[_Union[CustomHeader, _Mapping]]] = ..., kind: _Optional[_Union[EndpointKind, str]] = ..., recipients: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateWebhookEndpointResponse(_message.Message):
    __slots__ = ("webhook_endpoint", "secret")
    WEBHOOK_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    webhook_endpoint: WebhookEndpoint
    secret: str
    def __init__(self, webhook_endpoint: _Optional[_Union[WebhookEndpoint, _Mapping]] = ..., secret: _Optional[str] = ...) -> None: ...

class ListWebhookEndpointsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListWebhookEndpointsResponse(_message.Message):
    __slots__ = ("webhook_endpoints", "next_page_token")
    WEBHOOK_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    webhook_endpoints: _containers.RepeatedCompositeFieldContainer[WebhookEndpoint]
    next_page_token: str
    def __init__(self, webhook_endpoints: _Optional[_Iterable[_Union[WebhookEndpoint, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RotateWebhookSecretRequest(_message.Message):
    __slots__ = ("request_id", "webhook_endpoint_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    webhook_endpoint_id: str
    def __init__(self, request_id: _Optional[str] = ..., webhook_endpoint_id: _Optional[str] = ...) -> None: ...

class RotateWebhookSecretResponse(_message.Message):
    __slots__ = ("secret", "previous_expire_time")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    secret: str
    previous_expire_time: _timestamp_pb2.Timestamp
    def __init__(self, secret: _Optional[str] = ..., previous_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UpdateWebhookEndpointRequest(_message.Message):
    __slots__ = ("request_id", "webhook_endpoint_id", "url", "event_types", "headers", "recipients")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    webhook_endpoint_id: str
    url: str
    event_types: EventTypes
    headers: CustomHeaders
    recipients: Recipients
    def __init__(self, request_id: _Optional[str] = ..., webhook_endpoint_id: _Optional[str] = ..., url: _Optional[str] = ..., event_types: _Optional[_Union[EventTypes, _Mapping]] = ..., headers: _Optional[_Union[CustomHeaders, _Mapping]] = ..., recipients: _Optional[_Union[Recipients, _Mapping]] = ...) -> None: ...

class Recipients(_message.Message):
    __slots__ = ("recipients",)
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    recipients: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, recipients: _Optional[_Iterable[str]] = ...) -> None: ...

class EventTypes(_message.Message):
    __slots__ = ("event_types",)
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    event_types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, event_types: _Optional[_Iterable[str]] = ...) -> None: ...

class CustomHeaders(_message.Message):
    __slots__ = ("headers",)
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedCompositeFieldContainer[CustomHeader]
    def __init__(self, headers: _Optional[_Iterable[_Union[CustomHeader, _Mapping]]] = ...) -> None: ...

class UpdateWebhookEndpointResponse(_message.Message):
    __slots__ = ("webhook_endpoint",)
    WEBHOOK_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    webhook_endpoint: WebhookEndpoint
    def __init__(self, webhook_endpoint: _Optional[_Union[WebhookEndpoint, _Mapping]] = ...) -> None: ...

class TestWebhookEndpointRequest(_message.Message):
    __slots__ = ("request_id", "webhook_endpoint_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    webhook_endpoint_id: str
    def __init__(self, request_id: _Optional[str] = ..., webhook_endpoint_id: _Optional[str] = ...) -> None: ...

class TestWebhookEndpointResponse(_message.Message):
    __slots__ = ("delivery",)
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    delivery: Delivery
    def __init__(self, delivery: _Optional[_Union[Delivery, _Mapping]] = ...) -> None: ...

class EnableWebhookEndpointRequest(_message.Message):
    __slots__ = ("request_id", "webhook_endpoint_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    webhook_endpoint_id: str
    def __init__(self, request_id: _Optional[str] = ..., webhook_endpoint_id: _Optional[str] = ...) -> None: ...

class EnableWebhookEndpointResponse(_message.Message):
    __slots__ = ("webhook_endpoint",)
    WEBHOOK_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    webhook_endpoint: WebhookEndpoint
    def __init__(self, webhook_endpoint: _Optional[_Union[WebhookEndpoint, _Mapping]] = ...) -> None: ...

class DisableWebhookEndpointRequest(_message.Message):
    __slots__ = ("request_id", "webhook_endpoint_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    webhook_endpoint_id: str
    def __init__(self, request_id: _Optional[str] = ..., webhook_endpoint_id: _Optional[str] = ...) -> None: ...

class DisableWebhookEndpointResponse(_message.Message):
    __slots__ = ("webhook_endpoint",)
    WEBHOOK_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    webhook_endpoint: WebhookEndpoint
    def __init__(self, webhook_endpoint: _Optional[_Union[WebhookEndpoint, _Mapping]] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("delivery_id", "webhook_endpoint_id", "webhook_id", "event_type", "status", "attempts", "last_status_code", "last_error", "create_time", "deliver_time", "next_attempt_time", "payload")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    LAST_STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELIVER_TIME_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    webhook_endpoint_id: str
    webhook_id: str
    event_type: str
    status: DeliveryStatus
    attempts: int
    last_status_code: int
    last_error: str
    create_time: _timestamp_pb2.Timestamp
    deliver_time: _timestamp_pb2.Timestamp
    next_attempt_time: _timestamp_pb2.Timestamp
    payload: str
    def __init__(self, delivery_id: _Optional[str] = ..., webhook_endpoint_id: _Optional[str] = ..., webhook_id: _Optional[str] = ..., event_type: _Optional[str] = ..., status: _Optional[_Union[DeliveryStatus, str]] = ..., attempts: _Optional[int] = ..., last_status_code: _Optional[int] = ..., last_error: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deliver_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., next_attempt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., payload: _Optional[str] = ...) -> None: ...

class ListDeliveriesRequest(_message.Message):
    __slots__ = ("webhook_endpoint_id", "alert_id", "page_size", "page_token", "event_types", "status")
    WEBHOOK_ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    webhook_endpoint_id: str
    alert_id: str
    page_size: int
    page_token: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    status: DeliveryStatus
    def __init__(self, webhook_endpoint_id: _Optional[str] = ..., alert_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., status: _Optional[_Union[DeliveryStatus, str]] = ...) -> None: ...

class ListDeliveriesResponse(_message.Message):
    __slots__ = ("deliveries", "next_page_token")
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    next_page_token: str
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ReplayDeliveryRequest(_message.Message):
    __slots__ = ("request_id", "delivery_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    delivery_id: str
    def __init__(self, request_id: _Optional[str] = ..., delivery_id: _Optional[str] = ...) -> None: ...

class ReplayDeliveryResponse(_message.Message):
    __slots__ = ("delivery",)
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    delivery: Delivery
    def __init__(self, delivery: _Optional[_Union[Delivery, _Mapping]] = ...) -> None: ...

class ReplayDeliveriesRequest(_message.Message):
    __slots__ = ("request_id", "webhook_endpoint_id", "event_types", "start_time", "end_time", "failed_only")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    FAILED_ONLY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    webhook_endpoint_id: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    failed_only: bool
    def __init__(self, request_id: _Optional[str] = ..., webhook_endpoint_id: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failed_only: _Optional[bool] = ...) -> None: ...

class ReplayDeliveriesResponse(_message.Message):
    __slots__ = ("webhook_endpoint_ids",)
    WEBHOOK_ENDPOINT_IDS_FIELD_NUMBER: _ClassVar[int]
    webhook_endpoint_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, webhook_endpoint_ids: _Optional[_Iterable[str]] = ...) -> None: ...
