# SPDX-License-Identifier: Apache-2.0
"""Which customer a call names, so that one replica decides for it, and when it names none."""

import pytest
from grpc import StatusCode

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.affinity import CUSTOMER_HEADER, Affinity

ASK = pb.AuthorizeRequest(customer="acme")


class Clock:
    """Seconds that advance when the test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("request_", "customer"),
    [
        (ASK, "acme"),
        (pb.GetBalanceRequest(customer="Müller & Söhne/Nord"), "M%C3%BCller%20%26%20S%C3%B6hne%2FNord"),
        (pb.GetBalanceRequest(customer="c" * 2_000), "c" * 1_024),
        (pb.DebitBatchRequest(items=[pb.DebitRequest(customer="acme")] * 2), "acme"),
    ],
)
def test_a_call_names_its_customer_as_a_path_would(request_: object, customer: str) -> None:
    assert Affinity().header(request_) == ((CUSTOMER_HEADER, customer),)


@pytest.mark.parametrize(
    "request_",
    [
        pb.AuthorizeRequest(),
        pb.AuthorizeBatchRequest(),
        pb.AuthorizeBatchRequest(
            items=[pb.AuthorizeRequest(customer="acme"), pb.AuthorizeRequest(customer="b")]
        ),
    ],
)
def test_a_call_of_no_customer_or_of_several_names_none(request_: object) -> None:
    assert Affinity().header(request_) == ()


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (StatusCode.UNAVAILABLE, 0),
        (StatusCode.RESOURCE_EXHAUSTED, 0),
        (StatusCode.CANCELLED, 0),
        (StatusCode.DEADLINE_EXCEEDED, 0),
        (StatusCode.ABORTED, 1),
        (StatusCode.NOT_FOUND, 1),
    ],
)
def test_a_retry_may_go_to_any_replica_after_a_fault_that_another_may_not_have(
    code: StatusCode, names: int
) -> None:
    affinity = Affinity()

    affinity.failed(ASK, code)

    assert len(affinity.header(ASK)) == names
    assert len(affinity.header(pb.CaptureRequest(customer="acme"))) == names
    assert len(affinity.header(pb.AuthorizeRequest(customer="another"))) == 1


def test_a_customer_returns_to_its_replica_five_seconds_after_the_last_failure() -> None:
    clock = Clock()
    affinity = Affinity(now=clock)
    affinity.failed(ASK, StatusCode.UNAVAILABLE)

    clock.seconds += 4.999
    before = affinity.header(ASK)
    clock.seconds += 0.001

    assert (before, affinity.header(ASK)) == ((), ((CUSTOMER_HEADER, "acme"),))


def test_what_is_remembered_of_failures_is_bounded() -> None:
    affinity = Affinity()

    for number in range(10_001):
        affinity.failed(pb.AuthorizeRequest(customer=f"c{number}"), StatusCode.UNAVAILABLE)

    assert affinity.header(pb.AuthorizeRequest(customer="c0")) != ()
    assert affinity.header(pb.AuthorizeRequest(customer="c10000")) == ()
