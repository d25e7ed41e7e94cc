// The page: opens files, and draws what the service answers as the form says.

import { layCalipers, measured } from "./calipers.js";
import { calibrate, filtersOf, noFilters, offer, toggleSingle, viewOf, withinZoom, zoomed } from "./controls.js";
import { saveJson, savePng } from "./downloads.js";
import { ask, explanationOf, offerExplanations, saidOf } from "./explaining.js";
import { figures } from "./figures.js";
import { described } from "./filters.js";
import { about, findings, measurements } from "./findings.js";
import { followFingers } from "./fingers.js";
import { Complaint, duration, example, grouped, read } from "./service.js";
import { html } from "./svg.js";

const at = (id) => document.getElementById(id);
const A4 = 281; // mm, landscape within margins of 8 mm

/** @type {import("./service.js").Recording[]} */
let recordings = [];
let zoom = 1;
/** @type {import("./calipers.js").Lines | null} */
let lines = null;

/** Read files and show the first of them; the service's sentence where one cannot be read. */
async function open(/** @type {Promise<File[]> | File[]} */ chosen) {
  at("error").replaceChildren();
  at("status").textContent = "Reading …";
  const read = [];
  const complaints = [];
  try {
    for (const files of grouped([...(await chosen)])) {
      await one(files).then((found) => read.push(found), (error) => complaints.push(error));
    }
  } catch (error) {
    complaints.push(error);
  }
  at("status").textContent = read.length ? `${read.length} read.` : "";
  at("error").replaceChildren(...complaints.map((error) => html("span", {}, [error.message])));
  if (complaints.some((error) => error.status === 401)) at("key").hidden = false;
  if (read.length) show(read);
}

function one(files) {
  const table = Object.fromEntries([...document.querySelectorAll("#table [name]")].map(({ name, value }) => [name, value.trim()]));
  return read(files, table, at("token").value);
}

/** Add recordings to the list, the first of the new ones in view. */
function show(found) {
  recordings = [...recordings, ...found];
  const choices = () => recordings.map(({ ecg }, index) => new Option(ecg.file, String(index)));
  at("recording").replaceChildren(...choices());
  at("other").replaceChildren(new Option("nothing", ""), ...choices());
  at("recording").value = String(recordings.length - found.length);
  at("reading").hidden = false;
  turn();
}

/** Another recording. */
function turn() {
  const { ecg } = current();
  offer(ecg.leads, duration(ecg));
  offerExplanations(current());
  compare();
}

/** Another recording beside it. */
function compare() {
  lines = null;
  at("together").closest("label").hidden = at("other").value === "";
  at("about").textContent = shown().length > 1 ? "" : about(current());
  at("measurements").replaceChildren(measurements(shown()));
  at("findings").replaceChildren(...findings(shown()));
  redraw();
  colour();
}

const current = () => recordings[Number(at("recording").value)];

/** The recordings in view. */
const shown = () => [current(), ...(at("other").value === "" ? [] : [recordings[Number(at("other").value)]])];

const overEachOther = () => at("together").checked && shown().length > 1;

/** Draw the paper anew. */
function redraw() {
  const focused = focusOnPaper();
  let papers = [];
  try {
    papers = figures(shown(), filtersOf(), explanationOf, overEachOther());
  } catch (error) {
    complain(error);
  }
  at("papers").replaceChildren(...papers.map(({ figure }) => figure));
  if (at("calipers").checked && papers.length) layCalipers(papers[0], lines, (now) => {
    lines = now;
    at("measured").textContent = measured(now, papers[0].view);
  });
  else at("measured").textContent = "";
  tellScale();
  if (focused) document.querySelector(focused)?.focus({ preventScroll: true });
}

function complain(error) {
  if (!(error instanceof Complaint)) throw error;
  at("error").replaceChildren(html("span", {}, [error.message]));
}

/** Say which scale the paper has, zoomed or not, and zoom it. */
function tellScale() {
  document.documentElement.style.setProperty("--zoom", String(zoom));
  const view = viewOf(duration(current().ecg));
  const scale = `${view.speed} mm/s · ${view.gain} mm/mV · ${described(filtersOf(), shown().map(({ ecg }) => ecg.rate))}`;
  at("scale").textContent = zoom === 1 ? scale : `${scale} · zoom ${zoom} ×: not to scale`;
}

/** Where the focus was on the paper that is drawn anew, as a selector. */
function focusOnPaper() {
  const { activeElement } = document;
  if (!activeElement?.closest("#papers")) return null;
  return activeElement.dataset.lead ? `#papers g[data-lead="${activeElement.dataset.lead}"]` : "#papers .scroll";
}

/** Colour the traces by what the answer rests on, once the service has told. */
async function colour() {
  at("explained").textContent = at("explain").checked ? "Asking what the answer rests on …" : "";
  try {
    if (await ask(shown(), at("token").value)) redraw();
  } catch (error) {
    at("explain").checked = false;
    complain(error);
  }
  tellColours();
}

function tellColours() {
  at("explained").textContent = saidOf(shown(), overEachOther());
}

function leadAlone(event) {
  const name = event.target.closest(".name");
  if (!name || (event.type === "keydown" && !["Enter", " "].includes(event.key))) return false;
  toggleSingle(name.dataset.lead);
  lines = null;
  redraw();
  event.preventDefault();
  return true;
}

function magnify(step) {
  zoom = zoomed(zoom, step);
  tellScale();
}

function print() {
  const widest = Math.max(...[...document.querySelectorAll("#papers svg")].map((drawing) => Number(drawing.dataset.width)));
  at("error").replaceChildren();
  if (widest <= A4) window.print();
  else at("error").append(html("span", {}, [`This paper is ${widest} mm wide and A4 holds ${A4} mm; choose 25 mm/s to print it to scale.`]));
}

at("files").addEventListener("change", (event) => {
  open([...event.target.files]).finally(() => { event.target.value = ""; });
});
at("example").addEventListener("click", () => open(example()));
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
document.addEventListener("dragover", () => at("drop").classList.add("over"));
document.addEventListener("dragleave", () => at("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  at("drop").classList.remove("over");
  if (event.dataTransfer.files.length) open([...event.dataTransfer.files]);
});
at("recording").addEventListener("change", turn);
at("other").addEventListener("change", compare);
for (const form of ["controls", "key"]) at(form).addEventListener("submit", (event) => event.preventDefault());
at("together").addEventListener("change", () => {
  lines = null;
  redraw();
  tellColours();
});
at("controls").addEventListener("change", (event) => {
  at("error").replaceChildren();
  if (["layout", "speed", "gain", "lead", "from"].includes(event.target.id)) lines = null;
  redraw();
  if (event.target.closest("#explanation")) colour();
});
at("raw").addEventListener("click", () => {
  noFilters();
  redraw();
});
at("zoom-in").addEventListener("click", () => magnify(1));
at("zoom-out").addEventListener("click", () => magnify(-1));
at("zoom-reset").addEventListener("click", () => magnify(0));
at("papers").addEventListener("click", leadAlone);
at("papers").addEventListener("keydown", (event) => {
  if (leadAlone(event)) return;
  const step = { "+": 1, "=": 1, "-": -1, 0: 0 }[event.key];
  if (step !== undefined && !event.ctrlKey && !event.metaKey) magnify(step);
});
followFingers(at("papers"), () => zoom, (wanted) => {
  zoom = withinZoom(wanted);
  tellScale();
});
at("print").addEventListener("click", print);
at("png").addEventListener("click", () => {
  document.querySelectorAll("#papers svg").forEach((drawing, index) => savePng(drawing, shown()[index].ecg.file));
});
at("json").addEventListener("click", () => shown().forEach(saveJson));
at("theme").addEventListener("change", (event) => { document.documentElement.dataset.theme = event.target.value; });
calibrate();
