# SPDX-License-Identifier: Apache-2.0
"""Pages for everybody: signing in and out, language and time zone, the theme, and whether the process lives."""

from services.portal.public import entering, preferences, theme

ROUTES = (*entering.ROUTES, *preferences.ROUTES, *theme.ROUTES)
