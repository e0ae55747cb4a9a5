# SPDX-License-Identifier: Apache-2.0
"""Alert's tables for SQLAlchemy Core. Constraints are in migrations/."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from audit import audit_events_table
from meshkit.outbox import dead_letters_table, outbox_table
from meshkit.requests import requests_table
from sandbox import sandbox_clock_table

SCHEMA: Final = "alert"

metadata = MetaData()

requests = requests_table(metadata, SCHEMA)
outbox = outbox_table(metadata, SCHEMA)
dead_letters = dead_letters_table(metadata, SCHEMA)
audit_events = audit_events_table(metadata, SCHEMA)
sandbox_clock = sandbox_clock_table(metadata, SCHEMA)

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("alert_type", Text, nullable=False),
    Column("customer_id", Text, nullable=False),  # '' watches every customer
    Column("credit_type_id", Text, nullable=False),
    Column("threshold_micros", BigInteger, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("group_value", Text, nullable=False),  # '' watches each value by itself
    Column("version", BigInteger, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("archive_time", DateTime(timezone=True)),
    Column("rearm_micros", BigInteger),  # NULL: the threshold
    Column("quiet_period", Interval, nullable=False),
    Column("pause_time", DateTime(timezone=True)),
    Column("currency_code", Text, nullable=False),
    Column("invoice_position", BigInteger),  # of an INVOICE_TOTAL: events up to here in the feed are observed
    Column("has_unique_name", Boolean, nullable=False),  # false: named before names were unique
    Column("expires_within_days", Integer, nullable=False),  # 0: not of its type
    Column("spend_window", Text, nullable=False),
    Column("product_id", Text, nullable=False),  # of a SPEND without group key; '': all products
    Column("owner", Text, nullable=False),
    schema=SCHEMA,
)

alert_statuses = Table(
    "alert_statuses",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("customer_id", Text, primary_key=True),
    Column("group_value", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("value_micros", BigInteger, nullable=False),
    Column("observe_time", DateTime(timezone=True)),
    Column("sequence", BigInteger, nullable=False),
    Column("quiet_until", DateTime(timezone=True)),
    Column("notified_state", Text),  # set while a change waits for the end of the quiet period
    schema=SCHEMA,
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("webhook_endpoint_id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("kind", Text, nullable=False),  # WEBHOOK also for EMAIL, which has recipients
    Column("recipients", ARRAY(Text), nullable=False),
    Column("event_types", ARRAY(Text), nullable=False),
    Column("header_names", ARRAY(Text), nullable=False),
    Column("headers_key_id", Text),  # of the ciphertext of all custom headers
    Column("headers_ciphertext", LargeBinary),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("disable_time", DateTime(timezone=True)),
    Column("disable_reason", Text),
    Column(
        "missed_after", BigInteger
    ),  # while disabled: the position in the feed after which it misses events
    schema=SCHEMA,
)

destinations = Table(
    "destinations",
    metadata,
    Column("webhook_endpoint_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("event_types", ARRAY(Text), nullable=False),  # those of its endpoint are empty
    Column("code", Text, nullable=False),
    Column("code_expire_time", DateTime(timezone=True), nullable=False),
    Column("code_tries", Integer, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("confirm_time", DateTime(timezone=True)),
    Column("remove_time", DateTime(timezone=True)),
    schema=SCHEMA,
)

endpoint_failures = Table(
    "endpoint_failures",
    metadata,
    Column("webhook_endpoint_id", Text, primary_key=True),
    Column("since_time", DateTime(timezone=True), nullable=False),
    Column("latest_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("secret_id", Text, primary_key=True),
    Column("webhook_endpoint_id", Text, nullable=False),
    Column("secret", Text),  # only what a version before the encryption wrote, until it is encrypted
    Column("key_id", Text),
    Column("ciphertext", LargeBinary),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("expire_time", DateTime(timezone=True)),
    schema=SCHEMA,
)

customer_sequences = Table(
    "customer_sequences",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("last_sequence", BigInteger, nullable=False),
    schema=SCHEMA,
)

events = Table(
    "events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("event_type", Text, nullable=False),
    Column("customer_id", Text, nullable=False),  # '' for what happened to the vendor
    Column("customer_sequence", BigInteger, nullable=False),
    Column("is_internal", Boolean, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("payload", Text, nullable=False),
    Column("alert_id", Text),  # this and the next two: of an edge
    Column("group_value", Text, nullable=False),
    Column("edge_sequence", BigInteger, nullable=False),
    Column("position", BigInteger),  # in the feed; NULL until a reader has seen it committed
    schema=SCHEMA,
)

feed = Table(
    "feed",
    metadata,
    Column("only_row", Boolean, primary_key=True),
    Column("last_position", BigInteger, nullable=False),
    Column("forgotten_position", BigInteger, nullable=False),  # events up to here are not listed any more
    schema=SCHEMA,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("webhook_endpoint_id", Text, nullable=False),
    Column("alert_id", Text),  # of an edge
    Column("event_id", Text),  # NULL for an edge that was stored before there were events
    Column("customer_id", Text, nullable=False),
    Column("group_value", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),  # of an edge; 0 for other events
    Column("event_type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("earlier_attempts", Integer, nullable=False),  # those made before the last replay
    Column("last_status_code", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("deliver_time", DateTime(timezone=True)),
    Column("due_time", DateTime(timezone=True)),
    Column("give_up_time", DateTime(timezone=True), nullable=False),
    Column("payload", Text),  # NULL: that of the event
    Column("mail_accepted", ARRAY(Text)),  # recipients of a mail that was not delivered to all
    Column("mail_refused", JSONB),  # why, by recipient
    schema=SCHEMA,
)

replays = Table(
    "replays",
    metadata,
    Column("replay_id", Text, primary_key=True),
    Column("webhook_endpoint_id", Text, nullable=False),
    Column("event_types", ARRAY(Text), nullable=False),  # empty: all
    Column("failed_only", Boolean, nullable=False),
    Column("start_time", DateTime(timezone=True), nullable=False),
    Column("end_time", DateTime(timezone=True), nullable=False),
    Column("after_delivery_id", Text, nullable=False),
    Column("until_delivery_id", Text, nullable=False),
    Column("after_position", BigInteger, nullable=False),
    Column("until_position", BigInteger, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column(
        "wake_time", DateTime(timezone=True), nullable=False
    ),  # the open replay with the lowest one is next
    Column("finish_time", DateTime(timezone=True)),
    schema=SCHEMA,
)
