# SPDX-License-Identifier: Apache-2.0
"""Alert: webhooks when credits run low or a user spends much. Its rules: services/alert/README.md."""
