// Keep the live parts of a page fresh, and send the small forms without leaving it. Everything works without this file as well.
"use strict";

const said = document.getElementById("said");
const source = document.querySelector("[data-source]")?.dataset.source || location.pathname;
let tag = "";

async function refresh() {
  const answer = await fetch(source, { headers: tag ? { "If-None-Match": tag } : {} });
  if (answer.status !== 200) return;
  tag = answer.headers.get("ETag") || "";
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const changed = fresh.getElementById(part.id);
    if (changed && changed.innerHTML !== part.innerHTML) replace(part, changed);
  }
}

function replace(part, changed) {
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  for (const one of part.querySelectorAll("details[open]")) changed.querySelector(`#${CSS.escape(one.id)}`)?.setAttribute("open", "");
  part.innerHTML = changed.innerHTML;
  if (focused) document.getElementById(focused)?.focus();
}

async function send(form) {
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-busy", "true");
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  said.replaceChildren(...page.querySelectorAll(".said"));
  tag = "";
  await refresh();
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-quiet]")) return;
  event.preventDefault();
  if (!event.target.querySelector("[aria-busy]")) send(event.target).catch(() => event.target.submit());
});

setInterval(() => {
  if (!document.hidden) refresh().catch(() => {});
}, 2000);
