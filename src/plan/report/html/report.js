"use strict";
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const rows = [...document.querySelectorAll("tbody tr")];
  const words = rows.map((row) => row.textContent.toLowerCase());
  const { text, portal, op } = form.elements;
  const said = form.querySelector("output");

  const apply = () => {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, i) => {
      const fits =
        (!portal.value || row.dataset.portal === portal.value) &&
        (!op.value || row.dataset.op === op.value) &&
        wanted.every((word) => words[i].includes(word));
      row.hidden = !fits;
      shown += fits;
    });
    document.querySelectorAll(".part").forEach((part) => {
      part.hidden = !part.querySelector("tbody tr:not([hidden])");
    });
    said.value = `${shown} of ${rows.length} shown`;
  };

  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || /^(INPUT|SELECT)$/.test(event.target.tagName)) return;
    event.preventDefault();
    text.focus();
  });
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((part) => (part.open = true));
  });
  apply();
})();
