# SPDX-License-Identifier: Apache-2.0
"""Links to a customer's own pages."""

from purser.contract.v1 import contract_pb2 as pb
from services.edge.exchange import Ask, Entry
from services.edge.wire.dashboards import GetEmbeddableUrl


async def get_embeddable_url(ask: Ask) -> object:
    body = ask.body(GetEmbeddableUrl)
    # With the caller's own rights: a customer that it may not see is unknown to it.
    found = await ask.mesh.contract.GetCustomer(pb.GetCustomerRequest(customer=body.customer_id))
    url = await ask.links.to_pages_of(found.customer.customer_id, authorization=ask.authorization)
    return {"data": {"url": url}}


ENTRIES = (Entry("POST", "/v1/dashboards/getEmbeddableUrl", get_embeddable_url),)
