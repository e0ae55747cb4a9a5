// SPDX-License-Identifier: Apache-2.0
// Comfort for every page: the browser's time zone, live balances, and forms that cannot be sent twice.
"use strict";

(() => {
  const page = document.documentElement;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const cookie = "purser_browser_zone=" + zone;
  // The page is shown again in the new zone only if the browser keeps the cookie: otherwise it would never end.
  if (zone && !document.cookie.split("; ").includes(cookie)) {
    document.cookie = cookie + page.dataset.cookie + "; Max-Age=31536000";
    const isKept = document.cookie.split("; ").includes(cookie);
    if (isKept && page.dataset.zone === "UTC" && zone !== "UTC" && !document.querySelector("[role=alert]")) location.reload();
  }

  // On a phone the navigation is a strip that scrolls.
  document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  document.addEventListener("htmx:sse:after:message", (event) => {
    if (event.target.id === "balance") document.body.dispatchEvent(new CustomEvent("balance-changed"));
  });
  document.addEventListener("session-ended", () => location.reload());

  document.addEventListener("submit", (event) => {
    // htmx lets no form be sent twice at once, and the page with the form stays.
    if (event.target.matches("[hx-get], [hx-post]")) return;
    // After the browser has collected the fields: a disabled button would not be among them.
    setTimeout(() => event.target.querySelectorAll("button:not([type=button])").forEach((button) => { button.disabled = true; }));
    setTimeout(() => event.target.querySelectorAll("button:not([type=button])").forEach((button) => { button.disabled = false; }), 8000);
  });
  // A page that the browser shows again by its button "back" has its buttons as they were left.
  window.addEventListener("pageshow", () => document.querySelectorAll("button:disabled").forEach((button) => { button.disabled = false; }));
})();
