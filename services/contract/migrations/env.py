# SPDX-License-Identifier: Apache-2.0
from meshkit.migrations import run_env
from services.contract.privileges import PRIVILEGES

run_env("contract", PRIVILEGES)
