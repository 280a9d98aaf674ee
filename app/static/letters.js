// Ticks and the choice above them say the same: who ticks a letter means the ticked ones, who chooses all ticks none.
// Who unticks the last one has chosen none, not all: the server says so.
"use strict";
document.addEventListener("change", ({ target }) => {
  const form = target.closest(".beside > form");
  if (form && target.name === "id" && target.checked) form.querySelector("[name=which][value=some]").checked = true;
  if (form && target.name === "which" && target.value === "all") {
    form.querySelectorAll("[name=id]:checked").forEach(box => { box.checked = false; });
  }
});
