"use strict";

const root = document.documentElement;
const themes = ["auto", "light", "dark"];
const kept = "ecgenough-theme";

function show(theme) {
  root.dataset.theme = theme;
  document.getElementById("theme").textContent = "Theme: " + theme;
}

function remembered() {
  try { return localStorage.getItem(kept) || "auto"; } catch { return "auto"; }
}

show(themes.includes(remembered()) ? remembered() : "auto");
document.getElementById("theme").addEventListener("click", () => {
  const next = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
  try { localStorage.setItem(kept, next); } catch { /* a page from a file may not be allowed to remember */ }
  show(next);
});

function compare(a, b, sign) {
  if (a === b) return 0;
  if (a === "") return 1; // what is not known stays below
  if (b === "") return -1;
  const numbers = !isNaN(a) && !isNaN(b);
  return sign * (numbers ? a - b : a.localeCompare(b));
}

function sort(button) {
  const heading = button.closest("th");
  const body = button.closest("table").tBodies[0];
  const first = heading.classList.contains("number") ? "descending" : "ascending";
  const other = first === "descending" ? "ascending" : "descending";
  const order = heading.getAttribute("aria-sort") === first ? other : first;
  for (const cell of heading.parentNode.cells) cell.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const value = (row) => row.cells[heading.cellIndex].dataset.value;
  const rows = [...body.rows].sort((a, b) => compare(value(a), value(b), order === "ascending" ? 1 : -1));
  body.append(...rows);
}

for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => sort(button));

// Paper cannot be unfolded.
let unfolded = [];
addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("details:not([open])")];
  for (const one of unfolded) one.open = true;
});
addEventListener("afterprint", () => { for (const one of unfolded) one.open = false; });
