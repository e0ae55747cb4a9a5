# SPDX-License-Identifier: Apache-2.0
"""The limit: a bare grpc.aio server that returns what it receives, and does nothing else.

`python -m tests.perf.echo_server`, on uvloop in one process like a Ledger; PURSER_ECHO_LISTEN is its address.
"""

import os
from typing import Any

import grpc
import grpc.aio
import uvloop

SERVICE, METHOD = "purser.perf.Echo", "Echo"


async def _echo(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    return request


async def _serve(address: str) -> None:
    server = grpc.aio.server()
    handlers: dict[str, Any] = {METHOD: grpc.unary_unary_rpc_method_handler(_echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(_serve(os.environ["PURSER_ECHO_LISTEN"]))
