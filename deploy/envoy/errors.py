# SPDX-License-Identifier: Apache-2.0
"""Errors that Envoy itself gives to JSON callers, in the form of those of the services."""

from typing import Final

from deploy.envoy.clusters import Json
from deploy.envoy.routes import ORIGINAL_PATH

# HTTP status: gRPC code, for errors that Envoy itself gives to a JSON caller.
CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14, 504: 4}
UNKNOWN: Final = 2


def errors_as_json() -> Json:
    """Errors that Envoy itself gives to a JSON caller have the form of those of the services: google.rpc.Status."""
    # While a JSON call is translated, its content type is that of gRPC.
    is_translated = _header_filter(ORIGINAL_PATH, "/")
    is_not_grpc = _header_filter("content-type", "application/grpc", invert_match=True)
    by_json = {"or_filter": {"filters": [is_translated, is_not_grpc]}}
    return {
        "mappers": [
            {
                "filter": {"and_filter": {"filters": [by_json, _status_is("EQ", status)]}},
                "body_format_override": _error(code),
            }
            for status, code in CODES.items()
        ]
        + [
            {
                "filter": {"and_filter": {"filters": [by_json, _status_is("GE", 400)]}},
                "body_format_override": _error(UNKNOWN),
            }
        ]
    }


def _header_filter(name: str, prefix: str, **more: bool) -> Json:
    header = {"name": name, "string_match": {"prefix": prefix}, "treat_missing_header_as_empty": True, **more}
    return {"header_filter": {"header": header}}


def _error(code: int) -> Json:
    return {
        "json_format": {"code": code, "message": "%LOCAL_REPLY_BODY%", "details": []},
        "content_type": "application/json",
    }


def _status_is(how: str, status: int) -> Json:
    value = {"default_value": status, "runtime_key": f"purser.status_{status}"}
    return {"status_code_filter": {"comparison": {"op": how, "value": value}}}
