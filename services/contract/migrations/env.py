# SPDX-License-Identifier: Apache-2.0
from meshkit.migrations import run_env

run_env("contract")
