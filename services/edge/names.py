# SPDX-License-Identifier: Apache-2.0
"""Names that Metronome's answers show beside ids."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from purser.catalog.v1 import catalog_pb2 as catalog
from services.edge.mesh import Mesh
from services.edge.pages import all_pages
from services.edge.wire.amounts import CreditTypes, credit_type_id_to_json

# Names of credit types never change. Beyond so many the cache is read again.
CACHED_MAX: Final = 10_000


class Names:
    """Looks names up with the rights of the caller; those of credit types are kept."""

    def __init__(self) -> None:
        self._credit_types: dict[str, str] = {}

    async def credit_types(self, mesh: Mesh, credit_type_ids: Iterable[str]) -> CreditTypes:
        """Return what answers show of these credit types. One that is unknown is shown by its id."""
        wanted = {credit_type_id for credit_type_id in credit_type_ids if credit_type_id}
        if not wanted <= self._credit_types.keys():
            async for listed in all_pages(
                lambda token: mesh.catalog.ListCreditTypes(
                    catalog.ListCreditTypesRequest(page_size=500, page_token=token)
                )
            ):
                for credit_type in listed.credit_types[: CACHED_MAX - len(self._credit_types)]:
                    self._credit_types[credit_type.credit_type_id] = credit_type.name
        return CreditTypes(
            {
                credit_type_id: {
                    "id": credit_type_id_to_json(credit_type_id),
                    "name": "USD (cents)"
                    if credit_type_id == "USD"
                    else self._credit_types.get(credit_type_id, credit_type_id),
                }
                for credit_type_id in wanted
            }
        )

    async def products(self, mesh: Mesh, product_ids: Iterable[str]) -> Mapping[str, str]:
        """Return the names of these products, by id."""
        wanted = sorted({product_id for product_id in product_ids if product_id})
        found = await asyncio.gather(
            *(mesh.catalog.GetProduct(catalog.GetProductRequest(product_id=one)) for one in wanted)
        )
        return {one.product.product_id: one.product.name for one in found}
