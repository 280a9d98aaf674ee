// What stands on a page for one task is drawn anew when something became of it: at once or every `data-every` ms, and
// always after the last event, so that no page stays behind.
"use strict";
const due = new Map();

function refresh(id) {
  due.delete(id);
  for (const part of document.querySelectorAll(`[data-task="${CSS.escape(id)}"]`)) {
    const wait = Number(part.dataset.every || 0) - (Date.now() - Number(part.dataset.drawn || 0));
    if (wait > 0) later(id, wait);
    else {
      part.dataset.drawn = String(Date.now());
      htmx.trigger(part, "refresh");
    }
  }
}

function later(id, ms) {
  if (!due.has(id)) due.set(id, setTimeout(refresh, ms, id));
}

document.body.addEventListener("sira:status", ({ detail }) => {
  later(detail.task_id, 300);
  const newest = document.querySelector("table.tasks [data-task]")?.dataset.task; // ids sort by the time they were made
  if (newest && detail.task_id > newest) document.getElementById("newer")?.removeAttribute("hidden");
});

// A part that was swapped in keeps the pace of the one before it. What is `data-behind` its task's last event is drawn
// once more, for no event will come.
function drawn(part) {
  part.dataset.drawn = String(Date.now());
  if ("behind" in part.dataset) later(part.dataset.task, 1000);
}
document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
  const part = document.getElementById(detail.target.id);
  if (part?.dataset.every) drawn(part);
});
document.querySelectorAll("[data-behind]").forEach(drawn);
