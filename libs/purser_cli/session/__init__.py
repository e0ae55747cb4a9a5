# SPDX-License-Identifier: Apache-2.0
"""Where the mesh is and who calls it: the stored profile, the environment, the options, and the calls themselves."""
