# SPDX-License-Identifier: Apache-2.0
"""The rpcs about customers: created, found, renamed, suspended, archived and sent again."""

import asyncio

from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1.ledger_peer_pb2 import ApplyContractRequest, ApplyCustomerRequest
from tests.support.catalog import JUNE
from tests.support.contract import ContractStub, Desk
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger


async def _create(contract: ContractStub, request_id: str, *aliases: str, name: str = "Acme") -> pb.Customer:
    request = pb.CreateCustomerRequest(request_id=request_id, name=name, aliases=aliases)
    return (await contract.CreateCustomer(request)).customer


async def _set(contract: ContractStub, request_id: str, customer: str, *aliases: str) -> pb.Customer:
    request = pb.SetCustomerAliasesRequest(request_id=request_id, customer=customer, aliases=aliases)
    return (await contract.SetCustomerAliases(request)).customer


async def _suspend(contract: ContractStub, request_id: str, customer: str) -> pb.Customer:
    request = pb.SuspendCustomerRequest(request_id=request_id, customer=customer)
    return (await contract.SuspendCustomer(request)).customer


async def _resume(contract: ContractStub, request_id: str, customer: str) -> pb.Customer:
    request = pb.ResumeCustomerRequest(request_id=request_id, customer=customer)
    return (await contract.ResumeCustomer(request)).customer


async def _get(contract: ContractStub, customer: str) -> pb.Customer:
    return (await contract.GetCustomer(pb.GetCustomerRequest(customer=customer))).customer


async def test_a_customer_is_found_by_id_and_by_every_alias(contract: ContractStub) -> None:
    made = await _create(contract, "r1", "acme", "crm:42")

    assert made.customer_id.startswith("cus_")
    assert (made.name, list(made.aliases), made.is_suspended) == ("Acme", ["acme", "crm:42"], False)
    assert made.create_time == timestamp(JUNE)
    for name in (made.customer_id, "acme", "crm:42"):
        assert await _get(contract, name) == made


async def test_an_unknown_customer_is_a_fault(contract: ContractStub) -> None:
    for name in ("cus_nobody", "nobody"):
        with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer=name):
            await _get(contract, name)
        with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer=name):
            await _set(contract, "r1", name)
        with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer=name):
            await _suspend(contract, "r2", name)
        with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer=name):
            await _resume(contract, "r3", name)


async def test_an_alias_names_one_customer_only(contract: ContractStub) -> None:
    acme = await _create(contract, "r1", "acme")
    globex = await _create(contract, "r2", name="Globex")

    with fault(StatusCode.ALREADY_EXISTS, "ALIAS_TAKEN", alias="acme"):
        await _create(contract, "r3", "new", "acme")
    with fault(StatusCode.ALREADY_EXISTS, "ALIAS_TAKEN", alias="acme"):
        await _set(contract, "r4", globex.customer_id, "acme")

    # Once given away it is free, and keeping one's own is fine.
    await _set(contract, "r5", "acme", "ACME")
    assert list((await _set(contract, "r6", globex.customer_id, "globex", "acme")).aliases) == [
        "globex",
        "acme",
    ]
    assert list((await _set(contract, "r7", "globex", "acme", "globex")).aliases) == ["acme", "globex"]
    assert (await _get(contract, "ACME")).customer_id == acme.customer_id
    assert (await _get(contract, "acme")).customer_id == globex.customer_id


async def test_of_rivals_for_an_alias_one_wins(contract: ContractStub) -> None:
    rivals = await asyncio.gather(
        *(_create(contract, f"r{n}", *(["a", "b"] if n % 2 else ["b", "a"])) for n in range(8)),
        return_exceptions=True,
    )

    assert sum(isinstance(rival, pb.Customer) for rival in rivals) == 1


async def test_suspending_and_resuming_twice_is_harmless_and_told_once(
    contract: ContractStub, ledger: RecordingLedger
) -> None:
    acme = await _create(contract, "r1", "acme")

    assert (await _suspend(contract, "r2", "acme")).is_suspended
    assert (await _suspend(contract, "r3", acme.customer_id)).is_suspended
    assert not (await _resume(contract, "r4", "acme")).is_suspended
    assert not (await _resume(contract, "r5", "acme")).is_suspended

    told = ledger.told_of(ApplyCustomerRequest)
    assert [(one.version, one.is_suspended, list(one.aliases)) for one in told] == [
        (1, False, ["acme"]),
        (2, True, ["acme"]),
        (3, False, ["acme"]),
    ]
    assert {one.customer_id for one in told} == {acme.customer_id}


async def test_the_ledger_is_told_all_aliases_of_every_change(
    contract: ContractStub, ledger: RecordingLedger
) -> None:
    acme = await _create(contract, "r1", "acme")
    await _set(contract, "r2", acme.customer_id, "a", "b")

    assert [list(one.aliases) for one in ledger.told_of(ApplyCustomerRequest)] == [["acme"], ["a", "b"]]


async def test_a_repeated_request_gets_the_first_answer(
    contract: ContractStub, ledger: RecordingLedger
) -> None:
    first = await _create(contract, "r1", "acme")
    suspended = await _suspend(contract, "r2", "acme")
    await _resume(contract, "r3", "acme")

    assert await _create(contract, "r1", "acme") == first
    assert await _suspend(contract, "r2", "acme") == suspended
    assert not (await _get(contract, "acme")).is_suspended
    assert len(ledger.told) == 3


async def test_a_request_id_stands_for_one_request(contract: ContractStub) -> None:
    await _create(contract, "r1", "acme")

    for repeated in (
        _create(contract, "r1", "other"),
        _set(contract, "r1", "acme"),
        _suspend(contract, "r1", "acme"),
        _resume(contract, "r1", "acme"),
    ):
        with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="r1"):
            await repeated


async def _found(contract: ContractStub, search: str, **more: bool) -> list[str]:
    request = pb.ListCustomersRequest(search=search, **more)
    return [one.name for one in (await contract.ListCustomers(request)).customers]


async def test_a_search_finds_an_id_beginnings_of_aliases_and_beginnings_of_words_of_names(
    contract: ContractStub,
) -> None:
    acme = await _create(contract, "r1", "crm:42", "acme_eu", name="Acme GmbH & Co. KG")
    await _create(contract, "r2", "crm:43", name="The O'Neill/Acme-Partners <b>Ltd</b>")
    await _create(contract, "r3", "acmeXeu", name="Stadtwerke München")

    assert await _found(contract, acme.customer_id) == ["Acme GmbH & Co. KG"]
    assert await _found(contract, acme.customer_id[:-1]) == []
    assert await _found(contract, "CRM:4") == ["Acme GmbH & Co. KG", "The O'Neill/Acme-Partners <b>Ltd</b>"]
    assert await _found(contract, "rm:42") == []
    # No character of it is a wildcard.
    assert await _found(contract, "acme_") == ["Acme GmbH & Co. KG", "The O'Neill/Acme-Partners <b>Ltd</b>"]
    assert await _found(contract, "acmex") == ["Stadtwerke München"]
    assert await _found(contract, "gmb aCM") == ["Acme GmbH & Co. KG"]
    assert await _found(contract, "acme mün") == []
    assert await _found(contract, "  münch ") == ["Stadtwerke München"]
    for words in ("neill", "o'n part", "acme-partners <B>", "(ltd | the) & !"):
        assert await _found(contract, words) == ["The O'Neill/Acme-Partners <b>Ltd</b>"], words
    for nothing in ("%", "_", "\\", "'; --", "!!!", "–", "mbh"):
        assert await _found(contract, nothing) == [], nothing


async def test_what_a_search_finds_is_paged_and_leaves_out_what_is_archived(contract: ContractStub) -> None:
    made = [await _create(contract, f"r{n}", name=f"Customer {n}") for n in range(4)]
    await contract.ArchiveCustomer(pb.ArchiveCustomerRequest(request_id="a", customer=made[1].customer_id))

    first = await contract.ListCustomers(pb.ListCustomersRequest(search="cust", page_size=2))
    second = await contract.ListCustomers(
        pb.ListCustomersRequest(search="cust", page_size=2, page_token=first.next_page_token)
    )

    assert [one.name for one in (*first.customers, *second.customers)] == [
        "Customer 0",
        "Customer 2",
        "Customer 3",
    ]
    assert not second.next_page_token
    assert await _found(contract, "customer 1") == []
    assert await _found(contract, "customer 1", with_archived=True) == ["Customer 1"]
    with bad_fields("page_token"):
        await contract.ListCustomers(
            pb.ListCustomersRequest(search="other", page_size=2, page_token=first.next_page_token)
        )
    with bad_fields("search"):
        await contract.ListCustomers(pb.ListCustomersRequest(search="x" * 201))


async def test_twins_of_one_request_make_one_customer(contract: ContractStub) -> None:
    twins = await asyncio.gather(*(_create(contract, "r1", "acme") for _ in range(6)))

    assert len({twin.customer_id for twin in twins}) == 1


async def test_customers_are_listed_page_by_page_in_the_order_they_were_made(contract: ContractStub) -> None:
    made = [await _create(contract, f"r{n}", name=f"Customer {n}") for n in range(5)]

    listed: list[pb.Customer] = []
    token, sizes = "", []
    while True:
        page = await contract.ListCustomers(pb.ListCustomersRequest(page_size=2, page_token=token))
        listed += page.customers
        sizes.append(len(page.customers))
        if not (token := page.next_page_token):
            break
    assert listed == made
    assert sizes == [2, 2, 1]


async def test_all_bad_fields_are_named_at_once(contract: ContractStub) -> None:
    with bad_fields("request_id", "name", "aliases[0]", "aliases[1]", "aliases[3]", "aliases[4]"):
        await _create(contract, "", "cus_1", "", "fine", "fine", "x" * 201, name="")
    with bad_fields("aliases"):
        await _create(contract, "r1", *(str(n) for n in range(21)))
    with bad_fields("request_id", "customer", "aliases[0]"):
        await _set(contract, "not an id", "", "cus_x")
    with bad_fields("request_id", "customer"):
        await _suspend(contract, "", "")
    with bad_fields("request_id", "customer"):
        await _resume(contract, "", "")
    with bad_fields("customer"):
        await _get(contract, "")
    with bad_fields("page_size", "page_token"):
        await contract.ListCustomers(pb.ListCustomersRequest(page_size=-1, page_token="?"))
    assert list((await _create(contract, "r1", *(str(n) for n in range(20)))).aliases) == [
        str(n) for n in range(20)
    ]


async def test_a_customer_and_its_contracts_are_told_again_under_new_versions(
    desk: Desk, ledger: RecordingLedger
) -> None:
    first = await desk.sign(desk.seats(4))
    customer_id = first.contract.customer_id
    second = await desk.sign(desk.seats(2), customer=customer_id)
    await _create(desk.contract, "other", "globex")
    resend = pb.ResendCustomerRequest(request_id="resend", customer=customer_id)

    answers = [await desk.contract.ResendCustomer(resend) for _ in range(2)]

    assert answers[0] == answers[1]
    assert answers[0].customer == await _get(desk.contract, customer_id)
    told = [one for one in ledger.told_of(ApplyCustomerRequest) if one.customer_id == customer_id]
    assert [one.version for one in told] == [1, 2]
    assert [(one.aliases, one.is_suspended) for one in told] == [(told[0].aliases, False)] * 2
    contracts = ledger.told_of(ApplyContractRequest)
    assert [(one.contract_id, one.version) for one in contracts] == [
        (first.contract.contract_id, 1),
        (second.contract.contract_id, 1),
        (first.contract.contract_id, 2),
        (second.contract.contract_id, 2),
    ]
    assert list(contracts[0].grant_schedules) == list(contracts[2].grant_schedules)
    await desk.contract.EndContract(
        pb.EndContractRequest(
            request_id="end",
            contract_id=first.contract.contract_id,
            end_option=pb.END_OPTION_PERIOD_END,
        )
    )
    assert ledger.told_of(ApplyContractRequest)[-1].version == 3


async def test_an_unknown_customer_is_not_told_again(contract: ContractStub) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await contract.ResendCustomer(pb.ResendCustomerRequest(request_id="r", customer="nobody"))
    with bad_fields("request_id", "customer"):
        await contract.ResendCustomer(pb.ResendCustomerRequest())


async def test_a_customer_is_suspended_until_the_last_reason_is_lifted(
    contract: ContractStub, ledger: RecordingLedger
) -> None:
    await _create(contract, "r1", "acme")
    overdue, note = pb.SUSPENSION_REASON_PAYMENT_OVERDUE, "invoice 7 is 30 days overdue"
    await contract.SuspendCustomer(
        pb.SuspendCustomerRequest(request_id="r2", customer="acme", reason=overdue, note=note)
    )
    twice = await _suspend(contract, "r3", "acme")
    assert [(one.reason, one.note, one.create_time) for one in twice.suspensions] == [
        (overdue, note, timestamp(JUNE)),
        (pb.SUSPENSION_REASON_OPERATOR, "", timestamp(JUNE)),
    ]

    once = await contract.ResumeCustomer(
        pb.ResumeCustomerRequest(request_id="r4", customer="acme", reason=overdue)
    )
    assert once.customer.is_suspended
    none_left = await contract.ResumeCustomer(
        pb.ResumeCustomerRequest(request_id="r5", customer="acme", reason=pb.SUSPENSION_REASON_OPERATOR)
    )
    assert not none_left.customer.is_suspended
    assert not none_left.customer.suspensions
    assert [one.is_suspended for one in ledger.told_of(ApplyCustomerRequest)] == [False, True, False]


async def test_resuming_without_a_reason_lifts_all(contract: ContractStub) -> None:
    await _create(contract, "r1", "acme")
    for reason in (pb.SUSPENSION_REASON_PAYMENT_OVERDUE, pb.SUSPENSION_REASON_PAYMENT_DISPUTED):
        await contract.SuspendCustomer(
            pb.SuspendCustomerRequest(request_id=f"s{reason}", customer="acme", reason=reason)
        )

    assert not (await _resume(contract, "r2", "acme")).suspensions


async def test_an_unknown_reason_or_a_long_note_suspends_nobody(contract: ContractStub) -> None:
    await _create(contract, "r1", "acme")

    with bad_fields("reason", "note"):
        await contract.SuspendCustomer(
            pb.SuspendCustomerRequest(request_id="r2", customer="acme", reason=99, note="x" * 501)  # type: ignore[arg-type]
        )
    assert not (await _get(contract, "acme")).is_suspended


async def _archive(contract: ContractStub, request_id: str, customer: str) -> pb.Customer:
    request = pb.ArchiveCustomerRequest(request_id=request_id, customer=customer)
    return (await contract.ArchiveCustomer(request)).customer


async def test_an_archived_customer_is_listed_only_on_request_and_signs_nothing(desk: Desk) -> None:
    acme, globex = await desk.customer("Acme"), await desk.customer("Globex")

    archived = await _archive(desk.contract, "r1", acme.customer_id)

    assert archived.archive_time == timestamp(JUNE)
    assert await _archive(desk.contract, "r2", acme.customer_id) == archived
    assert await _get(desk.contract, acme.customer_id) == archived
    assert list((await desk.contract.ListCustomers(pb.ListCustomersRequest())).customers) == [globex]
    everyone = await desk.contract.ListCustomers(pb.ListCustomersRequest(with_archived=True))
    assert list(everyone.customers) == [archived, globex]
    with fault(StatusCode.FAILED_PRECONDITION, "CUSTOMER_ARCHIVED", customer_id=acme.customer_id):
        await desk.sign(desk.seats(1), customer=acme.customer_id)

    undo = pb.UnarchiveCustomerRequest(request_id="r3", customer=acme.customer_id)
    assert (await desk.contract.UnarchiveCustomer(undo)).customer == acme
    assert (await desk.sign(desk.seats(1), customer=acme.customer_id)).contract.contract_id


async def test_a_customer_with_a_contract_is_archived_only_after_its_end(desk: Desk) -> None:
    signed = (await desk.sign(desk.seats(1))).contract

    with fault(StatusCode.FAILED_PRECONDITION, "CUSTOMER_HAS_CONTRACT", contract_id=signed.contract_id):
        await _archive(desk.contract, "r1", signed.customer_id)

    await desk.contract.EndContract(pb.EndContractRequest(request_id="end", contract_id=signed.contract_id))
    assert (await _archive(desk.contract, "r2", signed.customer_id)).HasField("archive_time")


async def test_archiving_and_signing_at_once_leaves_no_archived_customer_with_a_contract(desk: Desk) -> None:
    for n in range(5):
        customer_id = (await desk.customer(f"Customer {n}")).customer_id

        signed, archived = await asyncio.gather(
            desk.sign(desk.seats(1), customer=customer_id),
            _archive(desk.contract, f"r{n}", customer_id),
            return_exceptions=True,
        )

        assert isinstance(signed, Exception) != isinstance(archived, Exception)


async def test_a_renamed_customer_is_found_by_its_new_name_only(contract: ContractStub) -> None:
    made = await _create(contract, "r1", "x-42")
    rename = pb.RenameCustomerRequest(request_id="r2", customer="x-42", name="Umbrella")
    renamed = (await contract.RenameCustomer(rename)).customer

    made.name = "Umbrella"
    assert renamed == made == await _get(contract, made.customer_id)
    assert (await contract.RenameCustomer(rename)).customer == renamed
    for search, found in (("umbr", [renamed]), ("acme", [])):
        listed = await contract.ListCustomers(pb.ListCustomersRequest(search=search))
        assert list(listed.customers) == found
    with bad_fields("name"):
        await contract.RenameCustomer(pb.RenameCustomerRequest(request_id="r3", customer="x-42", name=" "))
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await contract.RenameCustomer(pb.RenameCustomerRequest(request_id="r4", customer="nobody", name="N"))
