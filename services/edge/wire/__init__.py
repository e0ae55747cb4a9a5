# SPDX-License-Identifier: Apache-2.0
"""Translation between Metronome's JSON and our messages; pure. One file per subject."""
