# SPDX-License-Identifier: Apache-2.0
"""`purser catalog`: what is sold and at what price, as a file under version control."""
