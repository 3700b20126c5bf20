// Keep both sides fresh, and send the small forms without leaving the page. Everything works without this file as well.
"use strict";

const sides = document.getElementById("sides");
const said = document.getElementById("said");
let tag = "";

async function refresh() {
  const answer = await fetch("/board", { headers: tag ? { "If-None-Match": tag } : {} });
  if (answer.status !== 200) return;
  tag = answer.headers.get("ETag") || "";
  const html = await answer.text();
  const focused = document.activeElement && sides.contains(document.activeElement) ? document.activeElement.id : "";
  const open = new Set([...sides.querySelectorAll("details[open]")].map((one) => one.id));
  sides.innerHTML = html;
  for (const one of sides.querySelectorAll("details")) one.open = open.has(one.id);
  if (focused) document.getElementById(focused)?.focus();
}

async function send(form) {
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  said.replaceChildren(...page.querySelectorAll(".said"));
  tag = "";
  await refresh();
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-quiet]")) return;
  event.preventDefault();
  send(event.target).catch(() => event.target.submit());
});

setInterval(() => {
  if (!document.hidden) refresh().catch(() => {});
}, 2000);
