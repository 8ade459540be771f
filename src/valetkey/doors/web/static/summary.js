// Says what the app password of a form could do, as its ticks change. Without this file a button asks the server for it.
"use strict";

const form = document.querySelector("form[data-summary]");
const shown = document.getElementById("summary");
const asked = ["csrf", "account", "purpose", "permission", "protocol", "rule", "named", "networks", "expires", "expires_on", "idle", "format",
  "folders", "own_sender", "senders", "recipients", "messages_per_day", "recipients_per_day", "recipients_per_message"];
let waiting = 0;
let latest = 0;

async function say() {
  const mine = ++latest;
  const filled = new FormData(form);
  const fields = new URLSearchParams();
  for (const name of asked) { filled.getAll(name).forEach((value) => fields.append(name, value)); }
  try {
    const answer = await fetch(form.dataset.summary, { method: "POST", body: fields });
    if (answer.ok && !answer.redirected && mine === latest) { shown.textContent = await answer.text(); }
  } catch {
    // The sentence stays as it was; the server says it again before anything is made.
  }
}

if (form && shown) {
  form.querySelector("button[name=preview]").hidden = true;
  form.addEventListener("input", (event) => {
    if (!asked.includes(event.target.name)) { return; }
    window.clearTimeout(waiting);
    waiting = window.setTimeout(say, 250);
  });
}
