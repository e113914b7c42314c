"use strict";
// Without this script every table is shown and nothing sorts.
const selects = [...document.querySelectorAll("[data-choice]")];
const choose = () => {
  for (const view of document.querySelectorAll(".view"))
    view.hidden = selects.some(({dataset, value}) =>
      view.dataset[dataset.choice] !== undefined && view.dataset[dataset.choice] !== value);
};
for (const select of selects) select.addEventListener("change", choose);
for (const controls of document.querySelectorAll(".controls")) controls.hidden = !selects.length;
choose();
for (const note of document.querySelectorAll("[data-script]")) note.hidden = false;

const key = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.sort === undefined ? cell.textContent : Number(cell.dataset.sort);
};
// What is not known comes last in either direction.
const compare = (a, b, sign) => {
  const known = [a, b].map((value) => value !== "–" && value !== "");
  if (!known[0] || !known[1]) return known[1] - known[0];
  return sign * (typeof a === "number" && typeof b === "number"
    ? a - b : String(a).localeCompare(String(b)));
};
for (const table of document.querySelectorAll(".sortable")) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const number = head.classList.contains("number");
      const now = head.getAttribute("aria-sort");
      const up = now ? now === "descending" : !number;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) =>
        compare(key(a, head.cellIndex), key(b, head.cellIndex), up ? 1 : -1));
      table.tBodies[0].append(...rows);
    });
  }
}
