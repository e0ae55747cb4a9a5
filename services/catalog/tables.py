# SPDX-License-Identifier: Apache-2.0
"""The Catalog's tables for SQLAlchemy Core. Constraints are in migrations/."""

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, Integer, Interval, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from audit import audit_events_table
from meshkit.outbox import dead_letters_table, outbox_table
from meshkit.requests import requests_table
from sandbox import sandbox_clock_table

SCHEMA: Final = "catalog"

metadata = MetaData()

requests = requests_table(metadata, SCHEMA)
outbox = outbox_table(metadata, SCHEMA)
dead_letters = dead_letters_table(metadata, SCHEMA)
audit_events = audit_events_table(metadata, SCHEMA)
sandbox_clock = sandbox_clock_table(metadata, SCHEMA)

credit_types = Table(
    "credit_types",
    metadata,
    Column("credit_type_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

billable_metrics = Table(
    "billable_metrics",
    metadata,
    Column("billable_metric_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("aggregation", Text, nullable=False),
    Column("sum_property", Text),
    Column("filters", JSONB, nullable=False),
    Column("group_keys", ARRAY(Text), nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("archive_time", DateTime(timezone=True)),
    Column("aggregated_property", Text),  # of MAX and UNIQUE; the property of SUM is in sum_property
    schema=SCHEMA,
)

products = Table(
    "products",
    metadata,
    Column("product_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("product_type", Text, nullable=False),
    Column("billable_metric_id", Text),
    Column("version", BigInteger, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("archive_time", DateTime(timezone=True)),
    Column("conversion", JSONB(none_as_null=True)),
    Column("pricing_dimensions", JSONB, nullable=False),
    schema=SCHEMA,
)

rate_cards = Table(
    "rate_cards",
    metadata,
    Column("rate_card_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("fiat_credit_type_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

credit_conversions = Table(
    "credit_conversions",
    metadata,
    Column("rate_card_id", Text, primary_key=True),
    Column("credit_type_id", Text, primary_key=True),
    Column("fiat_per_credit_micros", BigInteger, nullable=False),
    schema=SCHEMA,
)

rates = Table(
    "rates",
    metadata,
    Column("rate_id", Text, primary_key=True),
    Column("rate_card_id", Text, nullable=False),
    Column("product_id", Text, nullable=False),
    Column("billing_frequency", Text, nullable=False),  # 'NONE' for usage: a key column is never NULL
    Column("credit_type_id", Text, nullable=False),
    Column("price_micros", BigInteger),  # NULL for GRADUATED, as per_micros
    Column("per_micros", BigInteger),
    Column("effective_time", DateTime(timezone=True), nullable=False),
    Column("end_time", DateTime(timezone=True)),
    Column("rate_type", Text, nullable=False),
    Column("tiers", JSONB, nullable=False),
    Column("dimension_values", JSONB, nullable=False),
    Column("create_time", DateTime(timezone=True)),
    Column("withdraw_time", DateTime(timezone=True)),
    Column("corrects_rate_id", Text),
    Column("ended_by_rate_id", Text),
    schema=SCHEMA,
)

top_up_packs = Table(
    "top_up_packs",
    metadata,
    Column("top_up_pack_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("product_id", Text, nullable=False),
    Column("credit_type_id", Text, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("price_currency_code", Text, nullable=False),
    Column("price_micros", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("lifetime", Interval),
    Column("create_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)
