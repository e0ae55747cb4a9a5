# SPDX-License-Identifier: Apache-2.0
"""Rate cards and their rates: the Catalog's."""

from collections.abc import Sequence

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from services.edge.exchange import Ask, Entry
from services.edge.faults import Refused
from services.edge.pages import page_of
from services.edge.wire import rates as wire
from services.edge.wire.fields import CursorQuery, IdBody, id_to_json


async def create_rate_card(ask: Ask) -> object:
    request = wire.rate_card_from_json(ask.body(wire.CreateRateCard), ask.request_id())
    made = await ask.mesh.catalog.CreateRateCard(request)
    return id_to_json(made.rate_card.rate_card_id)


async def get_rate_card(ask: Ask) -> object:
    found = await ask.mesh.catalog.GetRateCard(pb.GetRateCardRequest(rate_card_id=ask.body(IdBody).id))
    (shown,) = await _rate_cards_to_json(ask, [found.rate_card])
    return {"data": shown}


async def list_rate_cards(ask: Ask) -> object:
    query = ask.query_of(CursorQuery)
    listed = await ask.mesh.catalog.ListRateCards(
        pb.ListRateCardsRequest(page_size=query.limit or 0, page_token=query.next_page)
    )
    return page_of(await _rate_cards_to_json(ask, listed.rate_cards), listed.next_page_token)


async def _rate_cards_to_json(ask: Ask, cards: Sequence[pb.RateCard]) -> list[object]:
    ids = {one for card in cards for one in wire.credit_type_ids_of(card)}
    credit_types = await ask.names.credit_types(ask.mesh, ids)
    return [wire.rate_card_to_json(card, credit_types) for card in cards]


async def change_rate_card(_: Ask) -> object:
    raise Refused(
        501, "Purser keeps a rate card's name and conversions, and archives none; create another one"
    )


async def add_rate(ask: Ask) -> object:
    body = ask.body(wire.AddRate)
    added = await ask.mesh.catalog.AddRates(
        pb.AddRatesRequest(
            request_id=ask.request_id(), rate_card_id=body.rate_card_id, rates=[wire.rate_from_json(body)]
        )
    )
    credit_types = await ask.names.credit_types(ask.mesh, [added.rates[0].credit_type_id])
    return {"data": wire.rate_to_json(added.rates[0], credit_types)}


async def add_rates(ask: Ask) -> object:
    body = ask.body(wire.AddRates)
    rates = [wire.rate_from_json(terms, f"rates[{at}].") for at, terms in enumerate(body.rates)]
    await ask.mesh.catalog.AddRates(
        pb.AddRatesRequest(request_id=ask.request_id(), rate_card_id=body.rate_card_id, rates=rates)
    )
    return id_to_json(body.rate_card_id)


async def get_rates(ask: Ask) -> object:
    query, body = ask.query_of(wire.RatesQuery), ask.body(wire.GetRates)
    listed = await ask.mesh.catalog.ListRates(
        pb.ListRatesRequest(
            rate_card_id=body.rate_card_id,
            as_of_time=timestamp(body.at),
            page_size=query.limit or 0,
            page_token=query.next_page,
        )
    )
    rates = [rate for rate in listed.rates if wire.is_selected(rate, body.selectors)]
    return page_of(await _rates_to_json(ask, rates), listed.next_page_token)


async def get_rate_schedule(ask: Ask) -> object:
    query, body = ask.query_of(wire.RatesQuery), ask.body(wire.GetRateSchedule)
    listed = await ask.mesh.catalog.ListRates(
        pb.ListRatesRequest(
            rate_card_id=body.rate_card_id, page_size=query.limit or 0, page_token=query.next_page
        )
    )
    rates = [
        rate
        for rate in listed.rates
        if wire.is_in_span(rate, body.starting_at, body.ending_before)
        and wire.is_selected(rate, body.selectors)
    ]
    return page_of(await _rates_to_json(ask, rates), listed.next_page_token)


async def _rates_to_json(ask: Ask, rates: Sequence[pb.Rate]) -> list[object]:
    product_names = await ask.names.products(ask.mesh, (rate.product_id for rate in rates))
    credit_types = await ask.names.credit_types(ask.mesh, (rate.credit_type_id for rate in rates))
    return [wire.listed_rate_to_json(rate, product_names, credit_types) for rate in rates]


ENTRIES = (
    Entry("POST", "/v1/contract-pricing/rate-cards/create", create_rate_card),
    Entry("POST", "/v1/contract-pricing/rate-cards/get", get_rate_card),
    Entry("POST", "/v1/contract-pricing/rate-cards/list", list_rate_cards),
    Entry("POST", "/v1/contract-pricing/rate-cards/update", change_rate_card),
    Entry("POST", "/v1/contract-pricing/rate-cards/archive", change_rate_card),
    Entry("POST", "/v1/contract-pricing/rate-cards/addRate", add_rate),
    Entry("POST", "/v1/contract-pricing/rate-cards/addRates", add_rates),
    Entry("POST", "/v1/contract-pricing/rate-cards/getRates", get_rates),
    Entry("POST", "/v1/contract-pricing/rate-cards/getRateSchedule", get_rate_schedule),
)
