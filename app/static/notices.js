// Toasts, the bell and, once somebody has asked for them, the browser's own notifications.
"use strict";
(() => {
  const SHOWN_MS = 8000, TOASTS = 4;
  const AWAY = { tr: "Sunucuya ulaşılamıyor. Birazdan yeniden deneyin.", en: "The server can't be reached. Try again soon." };
  const region = () => document.getElementById("toasts");
  let counting = 0;

  function toast(text, kind, { href, detail } = {}) {
    const line = document.createElement("p");
    line.className = `toast ${kind === "error" ? "error" : "ok"}`;
    const words = document.createElement(href ? "a" : "span");
    if (href) words.href = href;
    words.textContent = text;
    line.append(words);
    if (detail) line.append(Object.assign(document.createElement("small"), { textContent: ` ${detail}` }));
    region()?.append(line);
    while (region()?.childElementCount > TOASTS) region().firstElementChild.remove();
    line.addEventListener("click", () => line.remove());
    const fade = () => (line.matches(":hover, :focus-within") ? setTimeout(fade, 1000) : line.remove());
    setTimeout(fade, SHOWN_MS);
  }

  const seen = new Set(); // an end may be told twice; it is shown once
  function ended(notice) {
    const name = `${notice.task_id} ${notice.ended_at}`;
    if (seen.has(name)) return;
    seen.add(name);
    toast(notice.text, notice.state === "FAILURE" ? "error" : "ok", { href: notice.url, detail: notice.detail });
    count();
    if (window.siraLive?.leads && "Notification" in window && Notification.permission === "granted") notify(notice);
  }

  function notify(notice) {
    const shown = new Notification(notice.text, { body: notice.detail || "Sıra", tag: notice.task_id, icon: "/static/sira.svg" });
    shown.onclick = () => { window.focus(); window.location.assign(notice.url); };
  }

  function count() { // many ends in a second are one question; the record is written within another
    clearTimeout(counting);
    counting = setTimeout(async () => {
      const answer = await fetch("/notices/unread", { headers: { Accept: "application/json" } }).catch(() => null);
      if (answer?.ok && !answer.redirected) ring(await answer.json());
    }, 1500);
  }

  function ring({ unread, label }) {
    const bell = document.getElementById("bell"), badge = bell?.querySelector(".unread");
    if (!badge) return;
    badge.textContent = unread > 99 ? "99+" : String(unread);
    badge.hidden = unread === 0;
    bell.setAttribute("aria-label", label);
  }

  function offer(button) { // never at load: browsers punish it, and so do people
    const settle = () => {
      const state = "Notification" in window && window.isSecureContext ? Notification.permission : "none";
      button.hidden = state !== "default";
      const words = document.querySelector(`[data-permission="${state}"]`);
      if (words) words.hidden = false;
    };
    button.addEventListener("click", async () => { await Notification.requestPermission(); settle(); });
    settle();
  }

  // Not by scrollIntoView: the first Tab would go on from there, past the link to the content.
  const centre = here => {
    const nav = here.closest("nav"), [outer, inner] = [nav, here].map(each => each.getBoundingClientRect());
    nav.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
  };

  document.addEventListener("DOMContentLoaded", () => {
    const { body } = document;
    body.addEventListener("toast", ({ detail }) => toast(detail.text, detail.kind));
    body.addEventListener("sira:notice", ({ detail }) => ended(detail));
    body.addEventListener("sira:count", ({ detail }) => ring(detail));
    body.addEventListener("sira:seen", count);
    body.addEventListener("htmx:sendError", () => toast(AWAY[document.documentElement.lang] || AWAY.en, "error"));
    document.querySelectorAll("nav [aria-current]").forEach(centre);
    document.querySelectorAll("[data-ask-permission]").forEach(offer);
    if (document.querySelector("[data-notices-seen]")) window.siraLive?.share("sira:seen", null);
  });
})();
