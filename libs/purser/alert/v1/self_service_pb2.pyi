import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from purser.alert.v1 import alert_pb2 as _alert_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateOwnAlertRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "name", "alert_type", "credit_type_id", "threshold_micros", "group_key", "group_value", "window", "product_id", "expires_within_days", "currency_code")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALERT_TYPE_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MICROS_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_WITHIN_DAYS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: str
    name: str
    alert_type: _alert_pb2.AlertType
    credit_type_id: str
    threshold_micros: int
    group_key: str
    group_value: str
    window: _alert_pb2.SpendWindow
    product_id: str
    expires_within_days: int
    currency_code: str
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., name: _Optional[str] = ..., alert_type: _Optional[_Union[_alert_pb2.AlertType, str]] = ..., credit_type_id: _Optional[str] = ..., threshold_micros: _Optional[int] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., window: _Optional[_Union[_alert_pb2.SpendWindow, str]] = ..., product_id: _Optional[str] = ..., expires_within_days: _Optional[int] = ..., currency_code: _Optional[str] = ...) -> None: ...

class CreateOwnAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: _alert_pb2.Alert
    def __init__(self, alert: _Optional[_Union[_alert_pb2.Alert, _Mapping]] = ...) -> None: ...

class ArchiveOwnAlertRequest(_message.Message):
    __slots__ = ("request_id", "alert_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    alert_id: str
    def __init__(self, request_id: _Optional[str] = ..., alert_id: _Optional[str] = ...) -> None: ...

class ArchiveOwnAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: _alert_pb2.Alert
    def __init__(self, alert: _Optional[_Union[_alert_pb2.Alert, _Mapping]] = ...) -> None: ...

class OwnDestination(_message.Message):
    __slots__ = ("destination_id", "address", "event_types", "create_time", "confirm_time", "disable_time")
    DESTINATION_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_TIME_FIELD_NUMBER: _ClassVar[int]
    DISABLE_TIME_FIELD_NUMBER: _ClassVar[int]
    destination_id: str
    address: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    create_time: _timestamp_pb2.Timestamp
    confirm_time: _timestamp_pb2.Timestamp
    disable_time: _timestamp_pb2.Timestamp
    def __init__(self, destination_id: _Optional[str] = ..., address: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., confirm_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., disable_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateOwnDestinationRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "address", "event_types")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: str
    address: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., address: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateOwnDestinationResponse(_message.Message):
    __slots__ = ("destination",)
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    destination: OwnDestination
    def __init__(self, destination: _Optional[_Union[OwnDestination, _Mapping]] = ...) -> None: ...

class ConfirmOwnDestinationRequest(_message.Message):
    __slots__ = ("request_id", "destination_id", "code")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    destination_id: str
    code: str
    def __init__(self, request_id: _Optional[str] = ..., destination_id: _Optional[str] = ..., code: _Optional[str] = ...) -> None: ...

class ConfirmOwnDestinationResponse(_message.Message):
    __slots__ = ("destination",)
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    destination: OwnDestination
    def __init__(self, destination: _Optional[_Union[OwnDestination, _Mapping]] = ...) -> None: ...

class RemoveOwnDestinationRequest(_message.Message):
    __slots__ = ("request_id", "destination_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    destination_id: str
    def __init__(self, request_id: _Optional[str] = ..., destination_id: _Optional[str] = ...) -> None: ...

class RemoveOwnDestinationResponse(_message.Message):
    __slots__ = ("destination",)
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    destination: OwnDestination
    def __init__(self, destination: _Optional[_Union[OwnDestination, _Mapping]] = ...) -> None: ...

class ListOwnDestinationsRequest(_message.Message):
    __slots__ = ("customer_id",)
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    def __init__(self, customer_id: _Optional[str] = ...) -> None: ...

class ListOwnDestinationsResponse(_message.Message):
    __slots__ = ("destinations",)
    DESTINATIONS_FIELD_NUMBER: _ClassVar[int]
    destinations: _containers.RepeatedCompositeFieldContainer[OwnDestination]
    def __init__(self, destinations: _Optional[_Iterable[_Union[OwnDestination, _Mapping]]] = ...) -> None: ...

class OwnDelivery(_message.Message):
    __slots__ = ("delivery_id", "destination_id", "address", "event_type", "alert_id", "status", "last_error", "create_time", "deliver_time")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELIVER_TIME_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    destination_id: str
    address: str
    event_type: str
    alert_id: str
    status: _alert_pb2.DeliveryStatus
    last_error: str
    create_time: _timestamp_pb2.Timestamp
    deliver_time: _timestamp_pb2.Timestamp
    def __init__(self, delivery_id: _Optional[str] = ..., destination_id: _Optional[str] = ..., address: _Optional[str] = ..., event_type: _Optional[str] = ..., alert_id: _Optional[str] = ..., status: _Optional[_Union[_alert_pb2.DeliveryStatus, str]] = ..., last_error: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deliver_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListOwnDeliveriesRequest(_message.Message):
    __slots__ = ("customer_id", "page_size", "page_token")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    page_size: int
    page_token: str
    def __init__(self, customer_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListOwnDeliveriesResponse(_message.Message):
    __slots__ = ("deliveries", "next_page_token")
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[OwnDelivery]
    next_page_token: str
    def __init__(self, deliveries: _Optional[_Iterable[_Union[OwnDelivery, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
