# SPDX-License-Identifier: Apache-2.0
"""What a record shows of a request: everything that is not secret, of bounded size, and the ids in it."""

import json

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from audit.change import CHANGE_CHARACTERS_MAX, TARGET_IDS_MAX, TEXT_CHARACTERS_MAX, change_of, ids_in
from audit.rpcs import is_recorded
from purser.alert.v1 import alert_pb2 as alert
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_pb2 as ledger
from purser.ledger.v1 import ledger_peer_pb2 as peer
from purser.ledger.v1 import usage_pb2 as usage
from purser.sandbox.v1 import clock_pb2 as clock


def test_a_request_is_shown_as_the_api_names_it_without_its_request_id() -> None:
    request = contract.OrderTopUpRequest(
        request_id="r",
        contract_id="con_1",
        payment_gate=contract.PAYMENT_GATE_EXTERNAL,
        terms=contract.TopUpTerms(product_id="prd_1", amount_micros=1_000_000, lifetime=Duration(seconds=60)),
    )

    text, plain = change_of(request)

    assert json.loads(text) == plain
    assert plain == {
        "contract_id": "con_1",
        "payment_gate": "PAYMENT_GATE_EXTERNAL",
        "terms": {"product_id": "prd_1", "amount_micros": 1_000_000, "lifetime": "60s"},
    }


def test_a_secret_field_is_redacted() -> None:
    text, _ = change_of(alert.CreateWebhookEndpointRequest(request_id="r", url="https://hooks.example/t0ken"))

    assert json.loads(text) == {"url": "(redacted)"}


def test_a_long_text_is_cut_and_one_that_just_fits_is_not() -> None:
    fits, cut = "x" * TEXT_CHARACTERS_MAX, "x" * (TEXT_CHARACTERS_MAX + 1)

    assert change_of(contract.CreateCustomerRequest(name=fits))[1]["name"] == fits
    assert change_of(contract.CreateCustomerRequest(name=cut))[1]["name"] == fits[:-1] + "…"


def test_many_values_are_cut_however_many_there_are() -> None:
    text, plain = change_of(peer.ApplyCustomerRequest(aliases=[f"alias-{n}" for n in range(100_000)]))

    aliases = plain["aliases"]
    assert isinstance(aliases, list)
    assert (aliases[0], aliases[-1]) == ("alias-0", "…")
    assert len(text) <= CHANGE_CHARACTERS_MAX


def test_a_text_that_is_too_long_as_a_whole_ends_with_a_mark() -> None:
    text, _ = change_of(contract.CreateCustomerRequest(aliases=["y" * TEXT_CHARACTERS_MAX] * 20))

    assert (len(text), text[-1]) == (CHANGE_CHARACTERS_MAX, "…")


def test_what_no_operation_would_accept_is_shown_too() -> None:
    _, plain = change_of(clock.AdvanceTimeRequest(new_time=Timestamp(seconds=-(10**15), nanos=-1)))
    assert plain == {"new_time": "-1000000000000000 s -1 ns"}
    _, plain = change_of(contract.CreateCustomerRequest(name="a\0b"))
    assert plain == {"name": "a\ufffdb"}
    _, plain = change_of(ledger.DebitRequest(group_values={"user\0": "u\0"}))
    assert plain == {"group_values": {"user\ufffd": "u\ufffd"}}
    _, plain = change_of(contract.OrderTopUpRequest(payment_gate=77))  # type: ignore[arg-type]
    assert plain == {"payment_gate": 77}


def test_ids_are_found_by_name_and_shape_the_outer_ones_first() -> None:
    plain = {
        "request_id": "req_1",
        "customer": "cus_1",
        "name": "prd_0",
        "fiat_credit_type_id": "USD",
        "terms": {"product_id": "prd_1", "scope_product_ids": ["prd_2", "prd_1"]},
        "contract_id": "con_1",
    }

    assert ids_in(plain) == ("cus_1", "con_1", "prd_1", "prd_2")
    assert ids_in({"customer": "acme"}) == ()
    assert len(ids_in({"rate_ids": [f"rat_{n}" for n in range(TARGET_IDS_MAX + 1)]})) == TARGET_IDS_MAX


def test_everything_that_writes_is_recorded_but_the_gate_and_the_intake_of_usage() -> None:
    def of(service: str, rpc: str) -> bool:
        return is_recorded(f"/{service}/{rpc}")

    gate = ledger.DESCRIPTOR.services_by_name["LedgerService"]
    intake = usage.DESCRIPTOR.services_by_name["UsageService"].full_name
    assert not [one.name for one in gate.methods if of(gate.full_name, one.name)]
    asked = ("RecordUsage", "ImportUsage", "VoidUsage", "GetUsage")
    assert [rpc for rpc in asked if of(intake, rpc)] == ["VoidUsage"]
    assert of("purser.sandbox.v1.ClockService", "AdvanceTime")
    assert of("purser.ledger.v1.LedgerPeerService", "ApplyCustomer")
    assert not of("purser.ledger.v1.LedgerPeerService", "PreviewSeatChange")
