# SPDX-License-Identifier: Apache-2.0
# Prints the browser for tests/browser and `make picture`: PURSER_CHROMIUM, otherwise one on PATH, otherwise Playwright's own.
# $1: the Python that has Playwright. $2, `install`: get a browser if there is none; without it the search changes nothing.
# Each candidate is run as a test. Exit code 3 and one line that says how to get a browser, if none runs.

works() { browser=$(command -v "${1:-}") && "$browser" --version >/dev/null 2>&1 && echo "$browser"; }
of_playwright() {
    "$1" -c 'from playwright.sync_api import sync_playwright as start
with start() as playwright: print(playwright.chromium.executable_path)' 2>/dev/null
}
found() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do works "$name" && return; done
    works "$(of_playwright "$1")"
}
fail() { echo "purser: $1" >&2; exit 3; }

if [ -n "${PURSER_CHROMIUM:-}" ]; then
    works "$PURSER_CHROMIUM" || fail "PURSER_CHROMIUM=$PURSER_CHROMIUM does not run; correct it, or unset it to search for a browser"
    exit 0
fi
found "$1" && exit 0

if [ "${2:-}" = install ]; then
    echo "purser: no browser yet; installing chromium (once; about 20 s)" >&2
    "$1" -m playwright install chromium >&2 && found "$1" && exit 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # The lists of a fresh machine are empty, so they are fetched first; another apt may be at work.
        apt-get update -q >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends -o DPkg::Lock::Timeout=300 chromium >&2
        found "$1" && exit 0
    fi
fi
fail "no browser; run \`make browser\`, install chromium (Debian: apt-get install chromium) or set PURSER_CHROMIUM=/path/to/chrome"
