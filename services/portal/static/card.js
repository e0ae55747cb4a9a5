// SPDX-License-Identifier: Apache-2.0
// Saves a card: the fields are Stripe's (https://docs.stripe.com/js), and what came of it is asked of the server.
"use strict";

(() => {
  const form = document.getElementById("card-form");
  const problem = document.getElementById("card-problem");
  const button = form.querySelector("button");
  const say = (text) => {
    problem.textContent = text;
    problem.hidden = !text;
  };
  if (!window.Stripe) {
    say(form.dataset.unreachable);
    return;
  }
  const stripe = Stripe(form.dataset.publishableKey);
  const style = getComputedStyle(form);
  const card = stripe.elements().create("card", { style: { base: { color: style.color, fontFamily: style.fontFamily, fontSize: "16px" } } });
  card.mount("#card-fields");
  button.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say("");
    button.disabled = true;
    const { error } = await stripe.confirmCardSetup(form.dataset.clientSecret, { payment_method: { card } });
    if (error) {
      say(error.message || form.dataset.failed);
      button.disabled = false;
    } else {
      location.reload();
    }
  });
})();
