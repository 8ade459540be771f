// Everything works without this file. It adds copying and printing, live updates, ticking all of a list, and leads to what
// is wrong with a form. Texts for people come from the page, in its language.
"use strict";

const told = document.getElementById("told");
const announce = (text) => { if (told && text) { told.textContent = text; } };

// Copying and printing

function textOf(element) {
  const rows = element.querySelectorAll("li");
  return rows.length ? Array.from(rows, (row) => row.textContent.trim()).join("\n") : element.textContent.trim();
}

function addCopying(button) {
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(textOf(source));
      button.textContent = document.body.dataset.copied;
    } catch {
      window.getSelection().selectAllChildren(source);
      button.textContent = document.body.dataset.selected;
    }
    announce(button.textContent);
    window.setTimeout(() => { button.textContent = label; }, 2500);
  });
}

function addPrinting(button) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// Forms

// Not for a form with data-again: what it brings is a file, and the page stays.
function sendOnce(form) {
  if ("again" in form.dataset) { return; }
  form.addEventListener("submit", () => {
    // After the browser has collected the fields.
    window.setTimeout(() => form.querySelectorAll("button[type=submit]").forEach((b) => { b.disabled = true; }), 0);
  });
}

// <input type="checkbox" data-all="account" data-counted="id"> ticks all of a name; the element counts them.
function addTickingAll(all) {
  const form = all.form || document;
  const ones = Array.from(form.querySelectorAll(`input[type=checkbox][name="${CSS.escape(all.dataset.all)}"]`));
  const counted = document.getElementById(all.dataset.counted);
  const show = () => {
    const ticked = ones.filter((one) => one.checked).length;
    all.checked = ticked > 0 && ticked === ones.length;
    all.indeterminate = ticked > 0 && ticked < ones.length;
    if (counted) { counted.textContent = String(ticked); }
  };
  all.closest("[hidden]")?.removeAttribute("hidden");
  all.addEventListener("change", () => { ones.forEach((one) => { one.checked = all.checked; }); show(); });
  ones.forEach((one) => one.addEventListener("change", show));
  show();
}

// Live updates: <div data-live="/path"> takes the fragment that each server-sent event carries. What is to be read out
// stands in the fragment's [data-say]. The event "end" says that no more will come.

const markup = window.trustedTypes?.createPolicy("valetkey-live", { createHTML: (text) => text });
const GIVE_UP_AFTER = 5;

class Live {
  constructor(element) {
    this.element = element;
    this.failures = 0;
    this.said = element.querySelector("[data-say]")?.textContent.trim() ?? "";
    this.open();
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", (event) => { if (event.persisted) { this.open(); } });
    // A browser has six connections to a site at once: pages in the background hold none of them.
    document.addEventListener("visibilitychange", () => { if (document.hidden) { this.close(); } else { this.open(); } });
  }

  open() {
    if (this.source || this.ended) { return; }
    this.source = new EventSource(this.element.dataset.live);
    this.source.addEventListener("open", () => { this.failures = 0; });
    this.source.addEventListener("message", (event) => this.show(event.data));
    this.source.addEventListener("end", (event) => { this.ended = true; this.close(); if (event.data === "late") { this.lose(); } });
    this.source.addEventListener("error", () => this.fail());
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  fail() {
    this.failures += 1;
    if (this.source?.readyState === EventSource.CLOSED || this.failures >= GIVE_UP_AFTER) {
      this.ended = true;
      this.close();
      this.lose();
    }
  }

  lose() {
    const hint = document.getElementById(`${this.element.id}-lost`);
    if (hint) { hint.hidden = false; announce(hint.textContent.trim()); }
  }

  show(text) {
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    this.element.innerHTML = markup ? markup.createHTML(text) : text;
    this.element.querySelectorAll("button.copy").forEach(addCopying);
    this.element.querySelectorAll("form[method=post]").forEach(sendOnce);
    if (focused) { this.focusLike(focused); }
    const say = this.element.querySelector("[data-say]")?.textContent.trim() ?? "";
    if (say !== this.said) { announce(say); }
    this.said = say;
  }

  // Whoever was in the middle of the old content by keyboard stays in the middle of the new one.
  focusLike(old) {
    const same = old.id
      ? document.getElementById(old.id)
      : Array.from(this.element.querySelectorAll(old.tagName)).find((one) => one.href === old.href && one.textContent === old.textContent);
    if (!same) { this.element.tabIndex = -1; }
    (same ?? this.element).focus({ preventScroll: true });
  }
}

// The time zone, so that the server writes times as the visitor's clock does.
function tellZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && /^[A-Za-z0-9_+\/-]{1,64}$/.test(zone)) {
    document.cookie = `__Host-valetkey-zone=${zone}; Path=/; Secure; SameSite=Lax; Max-Age=31536000`;
  }
}

if (navigator.clipboard) { document.querySelectorAll("button.copy").forEach(addCopying); }
document.querySelectorAll("button.print").forEach(addPrinting);
document.querySelectorAll("form[method=post]").forEach(sendOnce);
document.querySelectorAll("input[data-all]").forEach(addTickingAll);
document.querySelectorAll("[data-live]").forEach((element) => new Live(element));
window.addEventListener("pageshow", () => {
  document.querySelectorAll("button[type=submit]").forEach((b) => { b.disabled = false; });
});
tellZone();
document.getElementById("problems")?.focus();
