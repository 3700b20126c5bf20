// Keep the live parts of a page fresh, and send the small forms without leaving it. Everything works without this file as well.
"use strict";

const said = document.getElementById("said");
const source = document.querySelector("[data-source]")?.dataset.source || location.pathname;
let tag = "";
// A live part → the HTML it was last served with: what a person opened or typed in it since is no news.
const served = new WeakMap();
for (const part of document.querySelectorAll("[data-live]")) served.set(part, part.innerHTML);
let round = 0; // only the newest look at the server counts
let sending = 0;
let pressed = false; // a button replaced between pressing it and letting go would never be clicked

async function refresh() {
  const mine = ++round;
  const answer = await fetch(source, { headers: tag ? { "If-None-Match": tag } : {} });
  const text = await answer.text();
  if (answer.status !== 200 || mine !== round || (pressed && !sending)) return;
  tag = answer.headers.get("ETag") || "";
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const changed = fresh.getElementById(part.id);
    if (!changed || changed.innerHTML === served.get(part)) continue;
    served.set(part, changed.innerHTML);
    replace(part, changed);
  }
}

function replace(part, changed) {
  const focused = part.contains(document.activeElement) ? selectorOf(document.activeElement) : "";
  for (const one of part.querySelectorAll("details[open]")) changed.querySelector(`#${CSS.escape(one.id)}`)?.setAttribute("open", "");
  const typed = [...part.querySelectorAll("input[id], select[id]")].filter(isTyped).map((one) => [one.id, one.value, one.checked]);
  part.innerHTML = changed.innerHTML;
  for (const [id, value, checked] of typed) {
    const one = document.getElementById(id);
    if (one) Object.assign(one, one.type === "checkbox" ? { checked } : { value });
  }
  if (focused) part.querySelector(focused)?.focus();
}

function selectorOf(one) {
  if (one.id) return `#${CSS.escape(one.id)}`;
  return one.matches("a[href]") ? `a[href="${CSS.escape(one.getAttribute("href"))}"]` : "";
}

function isTyped(one) {
  if (one.type === "checkbox") return one.checked !== one.defaultChecked;
  if (one.tagName === "SELECT") return one.selectedIndex !== Math.max(0, [...one.options].findIndex((option) => option.defaultSelected));
  return one.value !== one.defaultValue;
}

async function send(form) {
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-busy", "true");
  sending += 1;
  round += 1;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    said.replaceChildren(...page.querySelectorAll(".said"));
    if (said.querySelector(".good")) (document.getElementById(form.id) || form).reset();
    else free(form);
    if (said.getBoundingClientRect().top < 0) said.scrollIntoView({ block: "start" });
    tag = "";
    await refresh();
    free(form);
  } finally {
    sending -= 1;
  }
}

function free(form) {
  for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-busy");
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-quiet]")) return;
  event.preventDefault();
  if (!event.target.querySelector("[aria-busy]")) send(event.target).catch(() => location.reload()); // never sent twice
});

for (const down of ["pointerdown", "keydown"]) addEventListener(down, () => (pressed = true), true);
for (const up of ["pointerup", "pointercancel", "keyup", "dragend", "blur"]) {
  addEventListener(up, () => setTimeout(() => (pressed = false)), true); // after the click that follows it
}

setInterval(() => {
  if (!document.hidden && !sending) refresh().catch(() => {});
}, 2000);
