# SPDX-License-Identifier: Apache-2.0
"""`purser demo-data`: a month of plausible traffic, to look at pages and reports with."""
