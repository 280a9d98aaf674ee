// What happens to tasks, as it happens: one event stream for the whole browser, however many tabs are open.
// HTTP/1.1 gives a browser six connections to a host; a stream in each tab would soon leave none for the pages.
// The tab that holds the lock has the stream and passes on what it hears. Where a browser has no locks (plain http from
// another machine) each tab has a stream of its own, as long as it is seen. Where streams are refused it asks now and
// then instead. Pages hear it on document.body:
//   sira:status  detail: the status object of the API     sira:notice  detail: {task_id, state, text, detail, url, …}
//   sira:count   detail: {unread, label}                   sira:seen    somebody opened the notices
"use strict";
(() => {
  const STREAM = "/api/events", ASK = "/notices/live", LAST = "sira-last";
  const POLL_MS = 5000, HIDDEN_MS = 30000, AGAIN_MS = 60000, GAP_MS = 30000;
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("sira") : null;
  const live = window.siraLive = { leads: false, source: null, polls: false, signedOut: false };
  let timer = 0, since = "", refusals = 0, lastId = "", alone = false;

  const tell = (name, detail) => document.body.dispatchEvent(new CustomEvent(name, { detail }));
  const share = (name, detail) => { tell(name, detail); channel?.postMessage({ name, detail }); };
  channel?.addEventListener("message", ({ data }) => {
    if (data && String(data.name).startsWith("sira:")) tell(data.name, data.detail);
  });
  live.share = share;

  async function ask(say) { // what lives and what has just ended; the answer, or null
    const answer = await fetch(`${ASK}?since=${encodeURIComponent(since)}`).catch(() => null);
    live.signedOut = Boolean(answer && (answer.status === 401 || answer.redirected));
    if (!answer?.ok || live.signedOut) return answer;
    const found = await answer.json();
    since = found.until;
    found.tasks.forEach(task => say("sira:status", task));
    found.notices.forEach(notice => say("sira:notice", notice));
    say("sira:count", found);
    return answer;
  }

  function listen() {
    const source = live.source = new EventSource(STREAM + resumed());
    const hear = name => source.addEventListener(name, event => {
      lastId = event.lastEventId || lastId;
      (alone ? tell : share)(`sira:${name}`, JSON.parse(event.data));
    });
    source.addEventListener("open", () => { refusals = 0; });
    ["status", "notice"].forEach(hear);
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return; // the browser comes back by itself
      live.source = null;
      refusals += 1;
      live.polls = true;
      poll(); // 503: no seat is free. Ask instead, and look for a seat again later
      setTimeout(listenAgain, AGAIN_MS * Math.min(refusals, 5) * (0.8 + 0.4 * Math.random()));
    });
  }

  function listenAgain() {
    live.polls = false;
    clearTimeout(timer);
    if (!live.signedOut && !live.source && !(alone && document.hidden)) listen();
  }

  function resumed() { // from one page to the next nothing is missed
    if (lastId) return `?last_event_id=${encodeURIComponent(lastId)}`;
    try {
      const [id, at] = JSON.parse(localStorage.getItem(LAST) || "[]");
      if (id && Date.now() - at < GAP_MS) return `?last_event_id=${encodeURIComponent(id)}`;
    } catch { /* no storage: the stream begins with what lives */ }
    return "";
  }
  window.addEventListener("pagehide", () => {
    live.source?.close();
    try { if (live.leads && lastId) localStorage.setItem(LAST, JSON.stringify([lastId, Date.now()])); } catch { /* none */ }
  });
  window.addEventListener("pageshow", event => { if (event.persisted) window.location.reload(); }); // its stream is gone

  async function poll() {
    const answer = await ask(share);
    const asked_ms = 1000 * Number(answer?.headers.get("Retry-After") || 0);
    const wait = Math.max(asked_ms, answer && !document.hidden ? POLL_MS : HIDDEN_MS);
    if (live.polls && !live.signedOut) timer = setTimeout(poll, wait);
  }

  function lead() {
    live.leads = true;
    listen();
    return new Promise(() => {}); // the lock is held until this tab goes; then the next one leads
  }

  function leadAlone() {
    live.leads = alone = true;
    const turn = () => {
      clearTimeout(timer);
      if (!document.hidden) return listenAgain();
      live.source?.close();
      live.source = null;
      live.polls = true;
      timer = setTimeout(poll, HIDDEN_MS);
    };
    document.addEventListener("visibilitychange", turn);
    turn();
  }

  document.addEventListener("DOMContentLoaded", () => {
    ask(tell); // what changed between the drawing of this page and now
    if (!window.EventSource) { live.polls = live.leads = true; timer = setTimeout(poll, POLL_MS); }
    else if (navigator.locks) navigator.locks.request("sira-live", lead);
    else leadAlone();
  });
})();
