// <sira-progress task="ID" [base="https://sira.example"] [token="…"] [label="…"] [lang="tr|en"]>: the bar of a task,
// on our pages and on yours. It listens where a cookie or your own proxy lets it (Server-Sent Events), asks /status
// with the token otherwise, and fires `sira-done` (detail: the status object) once the task has ended.
"use strict";
(() => {
  const SIGNS = { SUCCESS: ["✓", "#15703c"], FAILURE: ["✗", "#b3261e"], REVOKED: ["⊘", "#6b7280"] }; // those that end
  const WORDS = { tr: ["İlerleme", "%{}", "yaklaşık {} kaldı", "sa", "dk", "sn"], en: ["Progress", "{}%", "about {} left", "h", "min", "s"] };
  class SiraProgress extends HTMLElement {
    connectedCallback() {
      this.words = WORDS[(this.lang || document.documentElement.lang || "tr").startsWith("en") ? "en" : "tr"];
      if (!this.querySelector("progress")) this.draw();
      if (SIGNS[this.getAttribute("state")]) return;
      const { signal } = this.gone = new AbortController(), base = this.getAttribute("base") || "", token = this.getAttribute("token");
      this.url = `${base.replace(/\/+$/, "")}/api/tasks/${encodeURIComponent(this.getAttribute("task"))}`;
      this.headers = { "Accept-Language": this.words === WORDS.en ? "en" : "tr", ...(token && { Authorization: `Bearer ${token}` }) };
      const mine = ({ detail }) => detail.task_id === this.getAttribute("task") && this.show(detail);
      if (!base && !token && window.siraLive) document.body.addEventListener("sira:status", mine, { signal });
      else if (token || !window.EventSource) this.poll();
      else this.listen();
    }
    disconnectedCallback() { this.gone?.abort(); this.source?.close(); clearTimeout(this.timer); }
    draw() {
      const bar = Object.assign(document.createElement("progress"), { max: 100 }), label = this.getAttribute("label") || "";
      bar.setAttribute("aria-label", label || this.words[0]);
      const parts = ["label", "percent", "said", "eta"].map(name => Object.assign(document.createElement("span"), { className: name }));
      parts[0].textContent = label;
      this.replaceChildren(parts[0], " ", bar, ...parts.slice(1).flatMap(part => [" ", part]));
      this.plain = true; // no style sheet of ours gives it colours
    }
    show(task) {
      const set = (name, text) => { const part = this.querySelector(`.${name}`); if (part) part.textContent = text; };
      const bar = this.querySelector("progress"), [sign, colour] = SIGNS[task.state] || ["", ""];
      if (task.total === null && !sign) bar.removeAttribute("value"); else bar.value = task.percent;
      if (this.plain) bar.style.accentColor = colour;
      this.setAttribute("state", task.state);
      set("percent", this.words[1].replace("{}", task.percent));
      set("said", `${sign} ${task.status}`.trim());
      const s = task.eta_seconds, [size, unit] = s >= 3600 ? [3600, 3] : s >= 60 ? [60, 4] : [1, 5];
      set("eta", s === null ? "" : this.words[2].replace("{}", `${Math.round(s / size)} ${this.words[unit]}`));
      if (!sign || this.done) return;
      this.done = true;
      this.disconnectedCallback();
      this.dispatchEvent(new CustomEvent("sira-done", { detail: task, bubbles: true }));
    }
    listen() {
      this.source = new EventSource(`${this.url}/events`);
      this.source.addEventListener("status", event => this.show(JSON.parse(event.data)));
      this.source.addEventListener("error", () => this.source.readyState === EventSource.CLOSED && this.poll());
    }
    async poll() {
      const answer = await fetch(`${this.url}/status`, { headers: this.headers, signal: this.gone.signal }).catch(() => null);
      if (answer?.ok) this.show(await answer.json());
      if (this.done || this.gone.signal.aborted || [401, 403, 404].includes(answer?.status)) return; // asking again won't help
      const wait = answer?.ok ? 1000 : 1000 * Math.max(5, Number(answer?.headers.get("Retry-After") || 0));
      this.timer = setTimeout(() => this.poll(), document.hidden ? 5 * wait : wait);
    }
  }
  if (!customElements.get("sira-progress")) customElements.define("sira-progress", SiraProgress);
})();
