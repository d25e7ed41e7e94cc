// The page: opens files, and draws what the service answers as the form says.

import { layCalipers, measured } from "./calipers.js";
import { calibrate, filtersOf, noFilters, offer, toggleSingle, viewOf, zoomed } from "./controls.js";
import { saveJson, savePng } from "./downloads.js";
import { described, filtered } from "./filters.js";
import { about, findings, measurements } from "./findings.js";
import { draw } from "./paper.js";
import { example, grouped, read } from "./service.js";
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
  offer(ecg.leads, ecg.microvolts[0].length / ecg.rate);
  lines = null;
  at("about").textContent = about(current());
  at("measurements").replaceChildren(measurements(current()));
  at("findings").replaceChildren(...findings(current()));
  redraw();
}

const current = () => recordings[Number(at("recording").value)];

/** Draw the paper anew. */
function redraw() {
  const focused = focusOnPaper();
  const other = at("other").value === "" ? [] : [recordings[Number(at("other").value)]];
  at("papers").replaceChildren(...[current(), ...other].map(paper));
  document.documentElement.style.setProperty("--zoom", String(zoom));
  const view = viewOf(duration(current().ecg));
  const scale = `${view.speed} mm/s · ${view.gain} mm/mV · ${described(filtersOf())}`;
  at("scale").textContent = zoom === 1 ? scale : `${scale} · zoom ${zoom} ×: not to scale`;
  if (focused) document.querySelector(focused)?.focus({ preventScroll: true });
}

/** Where the focus was on the paper that is drawn anew, as a selector. */
function focusOnPaper() {
  const { activeElement } = document;
  if (!activeElement?.closest("#papers")) return null;
  return activeElement.dataset.lead ? `#papers g[data-lead="${activeElement.dataset.lead}"]` : "#papers .scroll";
}

const duration = (ecg) => ecg.microvolts[0].length / ecg.rate;

function paper(recording, index) {
  const { ecg } = recording;
  const view = viewOf(duration(ecg));
  if (!ecg.leads.includes(view.chosen)) [view.chosen] = ecg.leads;
  const filters = filtersOf();
  const millivolts = ecg.microvolts.map((lead) => filtered(lead.map((value) => value === null ? null : value / 1000), ecg.rate, filters));
  const trace = { file: ecg.file, rate: ecg.rate, leads: ecg.leads, millivolts };
  const { drawing, sheet } = draw(trace, view, described(filters));
  if (at("calipers").checked && index === 0) {
    layCalipers({ drawing, sheet, view }, lines, (now) => {
      lines = now;
      at("measured").textContent = measured(now, view);
    });
  } else if (!at("calipers").checked) at("measured").textContent = "";
  const head = html("figcaption", {}, [about(recording), html("span", { class: "print-only" }, [" · Not a medical device. Not over-read."])]);
  const scroll = html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Paper of ${ecg.file}: + and − zoom, 0 resets` }, [drawing]);
  return html("figure", {}, [head, scroll]);
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
  redraw();
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
at("other").addEventListener("change", redraw);
for (const form of ["controls", "key"]) at(form).addEventListener("submit", (event) => event.preventDefault());
at("controls").addEventListener("change", (event) => {
  if (["layout", "speed", "gain", "lead", "from"].includes(event.target.id)) lines = null;
  redraw();
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
at("print").addEventListener("click", print);
at("png").addEventListener("click", () => savePng(document.querySelector("#papers svg"), current().ecg.file));
at("json").addEventListener("click", () => saveJson(current()));
at("theme").addEventListener("change", (event) => { document.documentElement.dataset.theme = event.target.value; });
calibrate();
