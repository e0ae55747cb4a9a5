# SPDX-License-Identifier: Apache-2.0
"""An invoice as a document for people. Source: services/contract/README.md, "Documents"."""

from dataclasses import dataclass
from enum import Enum

DOCUMENT_BYTES_MAX = 4_000_000  # a gRPC client accepts responses of 4,194,304 bytes by default


class DocumentFormat(Enum):
    """HTML has a print style."""

    HTML = "HTML"
    PDF = "PDF"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDocument:
    """A rendered document. name: without an ending."""

    name: str
    document_format: DocumentFormat
    content: bytes
