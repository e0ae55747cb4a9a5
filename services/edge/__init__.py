# SPDX-License-Identifier: Apache-2.0
"""Edge: the REST surface that Metronome's SDK uses, translated to our rpcs. Its promises: services/edge/README.md."""
