// Everything works without this file. It adds copy and print buttons, leads to what is wrong with a form, and keeps a
// form from being sent twice.
"use strict";

function textOf(element) {
  const rows = element.querySelectorAll("li");
  return rows.length ? Array.from(rows, (row) => row.textContent.trim()).join("\n") : element.textContent.trim();
}

function addCopying(button) {
  const label = button.textContent;
  button.hidden = false;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(textOf(source));
      button.textContent = "Copied";
    } catch {
      window.getSelection().selectAllChildren(source);
      button.textContent = "Selected: now copy it";
    }
    window.setTimeout(() => { button.textContent = label; }, 2500);
  });
}

function sendOnce(form) {
  form.addEventListener("submit", () => {
    // After the browser has collected the fields.
    window.setTimeout(() => form.querySelectorAll("button[type=submit]").forEach((b) => { b.disabled = true; }), 0);
  });
}

if (navigator.clipboard) {
  document.querySelectorAll("button.copy").forEach(addCopying);
}
document.querySelectorAll("button.print").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
});
document.querySelectorAll("form[method=post]").forEach(sendOnce);
window.addEventListener("pageshow", () => {
  document.querySelectorAll("button[type=submit]").forEach((b) => { b.disabled = false; });
});
const problems = document.getElementById("problems");
if (problems) {
  problems.focus();
}
