# SPDX-License-Identifier: Apache-2.0
"""Overage policies on the wire."""

from collections.abc import Sequence

from meshkit.quantity import Credits
from meshkit.rpc.fields import Fields
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.ids import CreditTypeId
from services.contract.domain.overage import LIMITS_MAX, OverageLimit, OverageTerms
from services.contract.wire.values import each, money, money_to_wire

_MODES = {
    pb.OVERAGE_MODE_UNSPECIFIED: False,
    pb.OVERAGE_MODE_HARD_STOP: False,
    pb.OVERAGE_MODE_OVERAGE: True,
}


def policy_from_wire(fields: Fields, policy: pb.OveragePolicy) -> tuple[OverageTerms, ...]:
    """Return what is agreed in each credit type; nothing for a hard stop."""
    has_overage = _MODES.get(policy.mode)
    if has_overage is None:
        fields.add("overage_policy.mode", "must be one of the modes")
    if has_overage and not policy.limits:
        fields.add("overage_policy.limits", "must name at least one credit type in which usage goes on")
    if has_overage is False and policy.limits:
        fields.add("overage_policy.limits", "must be empty unless mode is OVERAGE")
    limits = each(fields, "overage_policy.limits", policy.limits, LIMITS_MAX, _limit_from_wire)
    for position, limit in enumerate(limits):
        if limit.credit_type_id in {one.credit_type_id for one in limits[:position]}:
            fields.add(f"overage_policy.limits[{position}].credit_type_id", "must be named only once")
    return limits


def policy_to_wire(limits: Sequence[OverageLimit]) -> pb.OveragePolicy:
    return pb.OveragePolicy(
        mode=pb.OVERAGE_MODE_OVERAGE if limits else pb.OVERAGE_MODE_HARD_STOP,
        limits=[
            pb.OverageLimit(
                credit_type_id=one.credit_type_id,
                cap_micros=None if one.cap is None else one.cap.micros,
                fiat_cap=None if one.fiat_cap is None else money_to_wire(one.fiat_cap),
                fiat_per_credit_micros=one.fiat_per_credit_micros,
            )
            for one in limits
        ],
    )


def terms_to_wire(terms: Sequence[OverageTerms]) -> pb.OveragePolicy:
    """Return what is agreed, without the prices of a rate card."""
    return pb.OveragePolicy(
        mode=pb.OVERAGE_MODE_OVERAGE if terms else pb.OVERAGE_MODE_HARD_STOP,
        limits=[
            pb.OverageLimit(
                credit_type_id=one.credit_type_id,
                cap_micros=None if one.cap is None else one.cap.micros,
                fiat_cap=None if one.fiat_cap is None else money_to_wire(one.fiat_cap),
            )
            for one in terms
        ],
    )


def _limit_from_wire(fields: Fields, path: str, limit: pb.OverageLimit) -> OverageTerms:
    if limit.fiat_per_credit_micros:
        fields.add(f"{path}.fiat_per_credit_micros", "must be left out: it is that of the rate card")
    return OverageTerms(
        credit_type_id=CreditTypeId(fields.text(f"{path}.credit_type_id", limit.credit_type_id)),
        cap=Credits(fields.micros(f"{path}.cap_micros", limit.cap_micros))
        if limit.HasField("cap_micros")
        else None,
        fiat_cap=money(fields, f"{path}.fiat_cap", limit.fiat_cap, True, minimum=0)
        if limit.HasField("fiat_cap")
        else None,
    )
