# SPDX-License-Identifier: Apache-2.0
"""Rerate jobs on the wire."""

from collections.abc import Mapping, Sequence
from typing import Final

from meshkit.page import Page
from meshkit.rpc.fields import EPOCH, Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.ledger.v1 import usage_pb2 as pb
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.usage.rerate_job import RerateCredits, RerateJob, RerateUsage

_FILTERS: Final[Mapping[str, str]] = {"list": "rerate_jobs"}


def rerate_from_wire(request: pb.RerateUsageRequest) -> RerateUsage:
    fields = Fields()
    customer = fields.text("customer", request.customer, required=False)
    start = fields.time("start_time", request.start_time, request.HasField("start_time"))
    end = fields.time("end_time", request.end_time, request.HasField("end_time"))
    if EPOCH not in (start, end) and start >= end:
        fields.add("end_time", "must be after start_time")
    command = RerateUsage(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RerateUsage", request),
        product_id=ProductId(fields.text("product_id", request.product_id)),
        customer=customer or None,
        start_time=start,
        end_time=end,
        reason=fields.text("reason", request.reason),
        actor=fields.text("actor", request.actor),
        is_preview=request.is_preview,
    )
    fields.check()
    return command


def rerate_to_wire(job: RerateJob) -> pb.RerateUsageResponse:
    return pb.RerateUsageResponse(job=_job_to_wire(job))


def job_id_from_wire(request: pb.GetRerateJobRequest) -> str:
    fields = Fields()
    job_id = fields.text("rerate_job_id", request.rerate_job_id)
    fields.check()
    return job_id


def job_to_wire(job: RerateJob) -> pb.GetRerateJobResponse:
    return pb.GetRerateJobResponse(job=_job_to_wire(job))


def list_from_wire(request: pb.ListRerateJobsRequest) -> Page:
    fields = Fields()
    page = page_from_wire(fields, request, _FILTERS)
    fields.check()
    return page


def list_to_wire(jobs: Sequence[RerateJob], page: Page) -> pb.ListRerateJobsResponse:
    shown, token = page_to_wire(jobs, page, _FILTERS, lambda job: (job.job_id,), _job_to_wire)
    return pb.ListRerateJobsResponse(jobs=shown, next_page_token=token)


def _job_to_wire(job: RerateJob) -> pb.RerateJob:
    return pb.RerateJob(
        rerate_job_id=job.job_id,
        product_id=job.scope.product_id,
        customer_id=job.scope.customer_id or "",
        start_time=timestamp(job.scope.start_time),
        end_time=timestamp(job.scope.end_time),
        reason=job.reason,
        actor=job.actor,
        state=f"RERATE_JOB_STATE_{job.state.name}",
        customers_total=job.customers_total,
        meters_total=job.meters_total,
        meters_done=job.meters_done,
        entries_done=job.entries_done,
        events_charged=job.events_charged,
        credits=[_credits_to_wire(one) for one in job.credits],
        create_time=timestamp(job.create_time),
        finish_time=optional_timestamp(job.finish_time),
    )


def _credits_to_wire(one: RerateCredits) -> pb.RerateCredits:
    return pb.RerateCredits(
        credit_type_id=one.credit_type_id,
        expected_returned_micros=one.expected_returned.micros,
        expected_charged_micros=one.expected_charged.micros,
        returned_micros=one.returned.micros,
        charged_micros=one.charged.micros,
    )
