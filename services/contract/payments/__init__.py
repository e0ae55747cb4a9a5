# SPDX-License-Identifier: Apache-2.0
"""Payment providers: one file each, and the listener for their webhooks."""

from services.contract.payments.stripe import StripeProvider
from services.contract.payments.webhooks import WebhookListener

__all__ = ["StripeProvider", "WebhookListener"]
