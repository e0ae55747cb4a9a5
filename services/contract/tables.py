# SPDX-License-Identifier: Apache-2.0
"""Contract's tables for SQLAlchemy Core. Constraints are in migrations/."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Interval, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from audit import audit_events_table
from meshkit.outbox import dead_letters_table, outbox_table
from meshkit.requests import requests_table
from sandbox import sandbox_clock_table

SCHEMA: Final = "contract"

metadata = MetaData()

requests = requests_table(metadata, SCHEMA)
outbox = outbox_table(metadata, SCHEMA, key="customer_id")
dead_letters = dead_letters_table(metadata, SCHEMA, key="customer_id")
audit_events = audit_events_table(metadata, SCHEMA)
sandbox_clock = sandbox_clock_table(metadata, SCHEMA)

customers = Table(
    "customers",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("is_suspended", Boolean, nullable=False),
    Column("suspensions", JSONB, nullable=False),  # why, always read whole
    Column("archive_time", DateTime(timezone=True)),
    Column("version", BigInteger, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

customer_aliases = Table(
    "customer_aliases",
    metadata,
    Column("alias", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    schema=SCHEMA,
)

contracts = Table(
    "contracts",
    metadata,
    Column("contract_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("rate_card_id", Text, nullable=False),
    Column("start_time", DateTime(timezone=True), nullable=False),
    Column("end_time", DateTime(timezone=True)),
    Column("next_due_time", DateTime(timezone=True)),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("accept_time", DateTime(timezone=True)),
    Column("term_months", Integer),
    Column("term_renews", Boolean),
    Column("term_notice_days", Integer),
    Column("usage_from", DateTime(timezone=True)),
    Column("usage_due_time", DateTime(timezone=True)),
    Column("overage", JSONB, nullable=False),
    Column("end_money_back", Text),
    Column("settles_end", Boolean, nullable=False),
    Column("collection_method", Text, nullable=False),
    Column("retry_days", ARRAY(Integer), nullable=False),
    Column("after_last_retry", Text, nullable=False),
    Column("suspend_in_debt", Boolean, nullable=False),
    schema=SCHEMA,
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("product_id", Text, nullable=False),
    Column("product_name", Text, nullable=False),
    Column("billing_frequency", Text, nullable=False),
    Column("is_prorated", Boolean, nullable=False),
    Column("invoicing", Text, nullable=False),
    Column("rounding", Text, nullable=False),
    Column("initial_quantity", BigInteger, nullable=False),
    Column("rates", JSONB, nullable=False),  # a copy of the Catalog's rates, always read whole
    Column("periods_billed", Integer, nullable=False),
    Column("billed_from", DateTime(timezone=True)),
    Column("changes", BigInteger, nullable=False),
    Column("collection_schedule", Text, nullable=False),
    Column("interval_count", Integer, nullable=False),
    Column("anchor_time", DateTime(timezone=True)),
    Column("seat_group_key", Text),  # NULL: seats are only counted
    Column("shared_pool_access", Text, nullable=False),
    Column("shared_pool_seat_ids", ARRAY(Text), nullable=False),
    schema=SCHEMA,
)

grant_schedules = Table(
    "grant_schedules",
    metadata,
    Column("grant_schedule_id", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("product_id", Text, nullable=False),
    Column("credit_type_id", Text, nullable=False),
    Column("unit_amount_micros", BigInteger, nullable=False),
    Column("subscription_id", Text),
    Column("frequency", Text, nullable=False),
    Column("interval_count", Integer, nullable=False),
    Column("anchor_time", DateTime(timezone=True), nullable=False),
    Column("end_time", DateTime(timezone=True)),
    Column("priority", Integer, nullable=False),
    Column("prorates_increases", Boolean, nullable=False),
    Column("period_proration", Text, nullable=False),
    Column("commit_duration", Integer, nullable=False),
    Column("scope_product_ids", ARRAY(Text), nullable=False),
    Column("rollover", JSONB(none_as_null=True)),
    Column("editions", JSONB, nullable=False),
    Column("allocation", Text, nullable=False),
    schema=SCHEMA,
)

seat_changes = Table(
    "seat_changes",
    metadata,
    Column("seat_change_id", Text, primary_key=True),
    Column("subscription_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("effective_time", DateTime(timezone=True), nullable=False),
    Column("quantity_delta", BigInteger, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("new_quantity", BigInteger),  # an absolute count; NULL: quantity_delta adds
    Column("assigned_delta", BigInteger, nullable=False),
    schema=SCHEMA,
)

seat_steps = Table(
    "seat_steps",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("seat_id", Text, primary_key=True),
    Column("effective_time", DateTime(timezone=True), nullable=False),
    Column("is_assigned", Boolean, nullable=False),
    Column("other_seat_id", Text),  # of a transfer, the id at its other end
    schema=SCHEMA,
)

seat_change_voids = Table(
    "seat_change_voids",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("void_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

seat_voids = Table(
    "seat_voids",
    metadata,
    Column("seat_void_id", Text, primary_key=True),
    Column("subscription_id", Text, nullable=False),
    Column("seat_change_id", Text, nullable=False),
    Column(
        "period_start", DateTime(timezone=True)
    ),  # of its billing period; NULL: there was nothing to settle
    Column("status", Text, nullable=False),
    Column("void", JSONB),  # the money, always read whole
    schema=SCHEMA,
)

billed_periods = Table(
    "billed_periods",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("period_start", DateTime(timezone=True), primary_key=True),
    Column("period_end", DateTime(timezone=True), nullable=False),
    Column("rate_id", Text, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("price_micros", BigInteger, nullable=False),
    Column("per_micros", BigInteger, nullable=False),
    Column("rate_effective_time", DateTime(timezone=True), nullable=False),
    Column("rate_end_time", DateTime(timezone=True)),
    Column("tiered_rate", JSONB),  # NULL: one price, in price_micros and per_micros
    schema=SCHEMA,
)

corrected_prices = Table(
    "corrected_prices",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("period_start", DateTime(timezone=True), primary_key=True),
    Column("position", Integer, primary_key=True),  # the last one is valid
    Column("rate", JSONB, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

invoices = Table(
    "invoices",
    metadata,
    Column("invoice_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("contract_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("total_micros", BigInteger, nullable=False),
    Column("issue_time", DateTime(timezone=True), nullable=False),
    Column("finalize_time", DateTime(timezone=True)),
    Column("number", Text),
    Column("paid_micros", BigInteger, nullable=False),
    Column("credited_micros", BigInteger, nullable=False),
    Column("void_time", DateTime(timezone=True)),
    Column("void_reason", Text, nullable=False),
    Column("regenerated_from", Text),  # the void invoice whose charges it has
    schema=SCHEMA,
)

invoice_payments = Table(
    "invoice_payments",
    metadata,
    Column("invoice_payment_id", Text, primary_key=True),
    Column("invoice_id", Text, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("reference", Text, nullable=False),
    Column("payment_time", DateTime(timezone=True), nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

invoice_parties = Table(
    "invoice_parties",
    metadata,
    Column("invoice_id", Text, primary_key=True),
    Column("parties", JSONB, nullable=False),  # a copy, always read whole
    schema=SCHEMA,
)

billing_details = Table(
    "billing_details",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("details", JSONB, nullable=False),  # always read and replaced whole
    schema=SCHEMA,
)

seller_details = Table(
    "seller_details",
    metadata,
    Column("only_row", Boolean, primary_key=True),
    Column("details", JSONB, nullable=False),  # always read and replaced whole
    schema=SCHEMA,
)

credit_notes = Table(
    "credit_notes",
    metadata,
    Column("credit_note_id", Text, primary_key=True),
    Column("invoice_id", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("finalize_time", DateTime(timezone=True), nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("tax_micros", BigInteger, nullable=False),
    Column("off_due_micros", BigInteger, nullable=False),
    Column("account_credit_micros", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    schema=SCHEMA,
)

credit_note_lines = Table(
    "credit_note_lines",
    metadata,
    Column("credit_note_id", Text, primary_key=True),
    Column("invoice_line_id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    schema=SCHEMA,
)

account_credits = Table(
    "account_credits",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("currency_code", Text, primary_key=True),
    Column("balance_micros", BigInteger, nullable=False),
    schema=SCHEMA,
)

account_credit_entries = Table(
    "account_credit_entries",
    metadata,
    Column("account_credit_entry_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("balance_after_micros", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

number_series = Table(
    "number_series",
    metadata,
    Column("only_row", Boolean, primary_key=True),
    Column("last_sequence", BigInteger, nullable=False),
    Column("last_date", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

document_numbers = Table(
    "document_numbers",
    metadata,
    Column("sequence", BigInteger, primary_key=True),
    Column("number", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("date", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    Column("invoice_line_id", Text, primary_key=True),
    Column("invoice_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("product_id", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("unit_price_micros", BigInteger, nullable=False),
    Column("share_numerator", BigInteger, nullable=False),
    Column("share_denominator", BigInteger, nullable=False),
    Column("exact_micros", BigInteger, nullable=False),
    Column("total_micros", BigInteger, nullable=False),
    Column("subscription_id", Text),
    Column("span_start", DateTime(timezone=True)),
    Column("span_end", DateTime(timezone=True)),
    Column("billing_period_start", DateTime(timezone=True)),
    Column("carried_micros", BigInteger, nullable=False),
    schema=SCHEMA,
)

usage_progress = Table(
    "usage_progress",
    metadata,
    Column("contract_id", Text, primary_key=True),
    Column("closed_time", DateTime(timezone=True), nullable=False),
    Column("closed", JSONB, nullable=False),  # sequences by credit type, always read and replaced whole
    Column("read", JSONB, nullable=False),  # likewise
    Column("base", JSONB, nullable=False),  # likewise
    Column("invoice_id", Text),
    schema=SCHEMA,
)

invoice_usage = Table(
    "invoice_usage",
    metadata,
    Column("invoice_id", Text, primary_key=True),
    Column("span_start", DateTime(timezone=True), nullable=False),
    Column("span_end", DateTime(timezone=True), nullable=False),
    Column("group_key", Text, nullable=False),
    Column("refresh_time", DateTime(timezone=True), nullable=False),
    Column("covered_time", DateTime(timezone=True), nullable=False),
    Column("covered_sequences", JSONB, nullable=False),  # by credit type, always read and replaced whole
    Column("report", JSONB, nullable=False),  # always read and replaced whole
    Column("close_time", DateTime(timezone=True)),
    Column("draft_lines", JSONB, nullable=False),  # always read and replaced whole
    schema=SCHEMA,
)

promised_seats = Table(
    "promised_seats",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("period_start", DateTime(timezone=True), primary_key=True),
    Column("create_time", DateTime(timezone=True), primary_key=True),
    Column("span_start", DateTime(timezone=True), primary_key=True),
    Column("span_end", DateTime(timezone=True), primary_key=True),
    Column("seats", BigInteger, nullable=False),
    schema=SCHEMA,
)
plan_changes = Table(
    "plan_changes",
    metadata,
    Column("plan_change_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("ended_contract_id", Text, nullable=False),
    Column("begun_contract_id", Text),  # NULL: a contract ended without another one
    Column("change_time", DateTime(timezone=True), nullable=False),
    Column("included_credits", Text, nullable=False),
    Column("money_back", Text, nullable=False),
    Column("paid", JSONB, nullable=False),  # what was charged, always read whole
    Column("status", Text, nullable=False),
    Column("invoice_id", Text),
    Column("unused", JSONB, nullable=False),  # the Ledger's answer, always read whole
    Column("apply_time", DateTime(timezone=True)),
    Column("credit_note_ids", ARRAY(Text), nullable=False),
    schema=SCHEMA,
)

plan_offers = Table(
    "plan_offers",
    metadata,
    Column("plan_offer_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("terms", JSONB, nullable=False),  # always read whole
    Column("customer_ids", ARRAY(Text), nullable=False),  # empty: every customer
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("archive_time", DateTime(timezone=True)),
    schema=SCHEMA,
)

top_ups = Table(
    "top_ups",
    metadata,
    Column("top_up_id", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("top_up_pack_id", Text),
    Column("product_id", Text, nullable=False),
    Column("credit_type_id", Text, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("price_currency_code", Text, nullable=False),
    Column("price_micros", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("lifetime", Interval),
    Column("payment_gate", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("invoice_id", Text, nullable=False),
    Column("payment_reference", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("resolve_time", DateTime(timezone=True)),
    Column("expire_time", DateTime(timezone=True)),
    Column("last_error_code", Text, nullable=False),
    Column("last_error_message", Text, nullable=False),
    Column("last_error_time", DateTime(timezone=True)),
    schema=SCHEMA,
)

payments = Table(
    "payments",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("top_up_id", Text, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("provider_payment_id", Text, nullable=False),
    Column("ending", Text),
    Column("checks", Integer, nullable=False),
    Column("hints", Integer, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("due_time", DateTime(timezone=True)),  # wall time: when the provider is asked next
    schema=SCHEMA,
)

top_up_refunds = Table(
    "top_up_refunds",
    metadata,
    Column("refund_id", Text, primary_key=True),
    Column("top_up_id", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("asked_micros", BigInteger),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("granted_micros", BigInteger),  # as the Ledger answered, like the four that follow
    Column("spent_micros", BigInteger),
    Column("held_micros", BigInteger),
    Column("expired_micros", BigInteger),
    Column("voided_micros", BigInteger),
    Column("refundable_micros", BigInteger),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("apply_time", DateTime(timezone=True)),
    Column("credit_note_id", Text),
    Column("return_time", DateTime(timezone=True)),
    Column("checks", Integer, nullable=False),
    Column("due_time", DateTime(timezone=True)),  # wall time: when the provider is asked next
    Column("accept_debt", Boolean, nullable=False),
    Column("cause", Text, nullable=False),
    Column("provider_refund_id", Text),
    Column("owed_micros", BigInteger, nullable=False),
    schema=SCHEMA,
)

money_back_checks = Table(
    "money_back_checks",
    metadata,
    Column("provider_payment_id", Text, primary_key=True),
    Column("hints", Integer, nullable=False),
    Column("due_time", DateTime(timezone=True), nullable=False),  # wall time
    schema=SCHEMA,
)

money_back_looks = Table(
    "money_back_looks",
    metadata,
    Column("is_only", Boolean, primary_key=True),
    Column("since", DateTime(timezone=True)),  # wall time, like due_time
    Column("due_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

auto_top_ups = Table(
    "auto_top_ups",
    metadata,
    Column("auto_top_up_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("credit_type_id", Text, nullable=False),
    Column("contract_id", Text, nullable=False),
    Column("top_up_pack_id", Text, nullable=False),
    Column("threshold_micros", BigInteger, nullable=False),
    Column("recharge_to_micros", BigInteger, nullable=False),
    Column("limit_currency_code", Text, nullable=False),
    Column("limit_micros", BigInteger, nullable=False),
    Column("payment_gate", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("remaining_micros", BigInteger),
    Column("top_up_id", Text),
    Column("is_charged", Boolean, nullable=False),
    Column("stop_reason", Text),
    Column("until_time", DateTime(timezone=True)),
    Column("failures", Integer, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("update_time", DateTime(timezone=True), nullable=False),
    Column("due_time", DateTime(timezone=True)),  # wall time: when its step is done
    schema=SCHEMA,
)

auto_top_up_orders = Table(
    "auto_top_up_orders",
    metadata,
    Column("top_up_id", Text, primary_key=True),
    Column("auto_top_up_id", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

payment_methods = Table(
    "payment_methods",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("provider_customer_id", Text, nullable=False),
    Column("payment_method_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("update_time", DateTime(timezone=True), nullable=False),
    schema=SCHEMA,
)

payment_setups = Table(
    "payment_setups",
    metadata,
    Column("payment_setup_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("provider_customer_id", Text, nullable=False),
    Column("provider_setup_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("checks", Integer, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("due_time", DateTime(timezone=True)),  # wall time: when the provider is asked next
    schema=SCHEMA,
)

invoice_dunning = Table(
    "invoice_dunning",
    metadata,
    Column("invoice_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("retry_days", ARRAY(Integer), nullable=False),
    Column("after_last_retry", Text, nullable=False),
    Column("begin_time", DateTime(timezone=True), nullable=False),
    Column("next_time", DateTime(timezone=True)),  # business time
    Column("attempts", Integer, nullable=False),
    Column("error_code", Text, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_time", DateTime(timezone=True)),
    Column("refused_method", Text, nullable=False),
    Column("is_overdue", Boolean, nullable=False),
    schema=SCHEMA,
)

invoice_charges = Table(
    "invoice_charges",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("provider_payment_id", Text, nullable=False),
    Column("is_unwanted", Boolean, nullable=False),
    Column("charging", Text, nullable=False),
    Column("attempt_key", Text, nullable=False),
    Column("return_url", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("checks", Integer, nullable=False),
    Column("hints", Integer, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("due_time", DateTime(timezone=True)),  # wall time: when the provider is asked next
    Column("money_back_due", DateTime(timezone=True)),  # wall time: when it is asked what went back
    Column("money_back_hints", Integer, nullable=False),
    schema=SCHEMA,
)

invoice_charge_parts = Table(
    "invoice_charge_parts",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("invoice_id", Text, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    schema=SCHEMA,
)

invoice_refunds = Table(
    "invoice_refunds",
    metadata,
    Column("refund_id", Text, primary_key=True),
    Column("invoice_id", Text, nullable=False),
    Column("invoice_payment_id", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("payment_id", Text),  # NULL: no provider returns it
    Column("currency_code", Text, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("credit_note_id", Text),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("return_time", DateTime(timezone=True)),
    Column("provider_refund_id", Text, nullable=False),
    Column("reverse_time", DateTime(timezone=True)),
    Column("checks", Integer, nullable=False),
    Column("due_time", DateTime(timezone=True)),  # wall time: when the provider is asked next
    schema=SCHEMA,
)
