// Passkeys: <div data-passkey="get" or "create" data-options="…" hidden> in a form holds a button and the field for the answer.
// Without this file the other ways to sign in are there.

const octets = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const written = (buffer) => buffer && btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function read(text) {
  const options = JSON.parse(text);
  const withId = (one) => ({ ...one, id: octets(one.id) });
  options.challenge = octets(options.challenge);
  if (options.user) { options.user = withId(options.user); }
  options.excludeCredentials = options.excludeCredentials?.map(withId);
  options.allowCredentials = options.allowCredentials?.map(withId);
  return options;
}

function told(credential) {
  const given = credential.response;
  const response = { clientDataJSON: written(given.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (given[name]) { response[name] = written(given[name]); }
  }
  if (given.getTransports) { response.transports = given.getTransports(); }
  const id = written(credential.rawId);
  return JSON.stringify({ id, rawId: id, type: credential.type, response, clientExtensionResults: {} });
}

function send(place, credential) {
  const answer = place.querySelector("input[name$=answer]");
  answer.value = told(credential);
  answer.disabled = false;
  // Beside a passkey neither password nor code is asked for.
  place.closest("fieldset")?.querySelectorAll("input[required]").forEach((one) => { one.required = false; });
  answer.form.requestSubmit();
}

const GOOD_FOR = 240_000;  // milliseconds: a little less than the server takes an answer

// A page that was left open long is fetched anew before its offer is taken, unless something was typed.
function keepFresh() {
  const opened = Date.now();
  document.addEventListener("visibilitychange", () => {
    const typed = Array.from(document.querySelectorAll("main input:not([type=hidden])")).some((one) => one.value);
    if (!document.hidden && !typed && Date.now() - opened > GOOD_FOR) { window.location.reload(); }
  });
}

let waiting = null;  // the browser offers passkeys in the field for the name; one request at a time

async function offer(place) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) { return; }
  waiting = new AbortController();
  try {
    send(place, await navigator.credentials.get({
      publicKey: read(place.dataset.options), mediation: "conditional", signal: waiting.signal,
    }));
  } catch { /* left for another way */ }
}

async function ask(place) {
  waiting?.abort();
  const create = place.dataset.passkey === "create";
  const failed = place.querySelector("[data-failed]");
  const known = place.querySelector("[data-known]");
  [failed, known].forEach((one) => { if (one) { one.hidden = true; } });
  try {
    const publicKey = read(place.dataset.options);
    send(place, await (create ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey })));
  } catch (error) {
    const shown = error.name === "InvalidStateError" && known ? known : failed;
    shown.hidden = false;
    const aloud = document.getElementById("told");
    if (aloud) { aloud.textContent = shown.textContent; }
  }
}

if (window.PublicKeyCredential) {
  document.querySelectorAll("[data-passkey-missing]").forEach((one) => { one.hidden = true; });
  document.querySelectorAll("[data-passkey]").forEach((place) => {
    place.hidden = false;
    const button = place.querySelector("button");
    button.addEventListener("click", () => {
      if (place.closest("form").querySelector("input[name=name]")?.reportValidity() !== false) { ask(place); }
    });
    if ("autofill" in place.dataset) { offer(place); keepFresh(); }
  });
}
