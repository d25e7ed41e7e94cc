// What the model says and what was measured, as tables; of two recordings beside each other.

import { duration } from "./service.js";
import { html, svg } from "./svg.js";

/** @typedef {import("./service.js").Recording} Recording */

const TASKS = {
  superdiagnostic: "Diagnostic superclasses", subdiagnostic: "Diagnostic subclasses", diagnostic: "Diagnoses",
  form: "Form", rhythm: "Rhythm", all: "All statements",
};
const MEASURED = [
  ["rate", "Rate", "bpm"], ["pr", "PR", "ms"], ["qrs", "QRS", "ms"],
  ["qt", "QT", "ms"], ["qtc", "QTc (Fridericia)", "ms"], ["axis", "Axis", "°"],
];

/** The task that a statement belongs to, where the model answers several. */
export const taskOf = (/** @type {{name: string}} */ { name }) => name.includes(":") ? name.split(":")[0] : "";

export const titleOfTask = (/** @type {string} */ task) => TASKS[task] ?? (task || "Statements");

/**
 * The probabilities of one recording or of several, a table a task.
 * @param {Recording[]} recordings
 * @returns {HTMLElement[]}
 */
export function findings(recordings) {
  const told = (recording, words) => recordings.length > 1 ? `${recording.ecg.file}: ${words}` : words;
  const problems = recordings.filter(({ answer }) => answer.error)
    .map((one) => html("p", { class: "problem" }, [told(one, one.answer.error)]));
  const notes = recordings.flatMap((one) => one.answer.notes.map((note) => html("li", {}, [told(one, note)])));
  const answered = recordings.filter(({ answer }) => !answer.error);
  if (!answered.length) return problems;
  const tables = [...grouped(answered)].map(([name, rows], index) => group(name, rows, answered, index === 0));
  return [...problems, ...(notes.length ? [html("ul", { class: "doubts" }, notes)] : []), ...tables,
    html("p", { class: "small" }, [`Calibrated probabilities of the model ${answered[0].model}; a statement is called from its threshold on.`])];
}

/** Task -> for each of its statements, what is said of each recording. */
function grouped(recordings) {
  const groups = new Map();
  for (const statement of recordings[0].answer.classes) {
    const said = recordings.map(({ answer }) => answer.classes.find(({ name }) => name === statement.name));
    const task = taskOf(statement);
    groups.set(task, [...(groups.get(task) ?? []), said]);
  }
  return groups;
}

function group(name, rows, recordings, open) {
  const order = (said) => [said.some(({ call }) => call), Math.max(...said.map(({ probability }) => probability))];
  const sorted = rows.map((said) => ({ said, order: order(said) }))
    .sort((one, other) => other.order[0] - one.order[0] || other.order[1] - one.order[1]);
  const called = rows.filter((said) => said.some(({ call }) => call));
  const count = html("span", { class: "small" }, [` ${called.length} of ${rows.length} called`]);
  const columns = recordings.length > 1 ? recordings.map(({ ecg }) => column(ecg.file, "file")) : [column("Probability")];
  const head = html("tr", {}, [column("Statement"), ...columns, column("Threshold"), column("Call")]);
  const table = html("table", {}, [html("thead", {}, [head]), html("tbody", {}, sorted.map(({ said }) => row(said)))]);
  const details = html("details", {}, [html("summary", {}, [titleOfTask(name), count]), table]);
  details.open = open;
  return details;
}

const column = (words, kind = "") => html("th", { scope: "col", class: kind }, [words]);

function row(said) {
  const [{ name, title, threshold }] = said;
  const code = name.split(":").pop();
  const words = [title, ...(code && code !== title ? [html("span", { class: "code" }, [` ${code}`])] : [])];
  return html("tr", said.some(({ call }) => call) ? { class: "called" } : {}, [
    html("th", { scope: "row" }, words),
    ...said.map(({ probability, call }) => html("td", call ? {} : { class: "below" },
      [bar(probability, threshold), html("span", { class: "figure" }, [percent(probability)])])),
    html("td", { class: "figure" }, [percent(threshold)]),
    html("td", { class: "figure" }, [said.map(({ call }) => call ? "yes" : "no").join(" / ")]),
  ]);
}

function bar(probability, threshold) {
  return svg("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, [
    svg("rect", { class: "rail", width: 100, height: 8, rx: 1 }),
    svg("rect", { class: "fill", width: 100 * probability, height: 8, rx: 1 }),
    svg("rect", { class: "mark", x: Math.max(0, 100 * threshold - 0.5), width: 1, height: 8 }),
  ]);
}

export const percent = (/** @type {number} */ value) => value >= 0.9995 || value < 0.0005 ? `${(100 * value).toFixed(0)} %` : `${(100 * value).toFixed(1)} %`;

/**
 * Rate, intervals and axis; a dash where none could be measured. Of two recordings, a table with the difference.
 * @param {Recording[]} recordings
 * @returns {HTMLElement}
 */
export function measurements([first, second]) {
  if (second) return compared(first, second);
  return html("dl", { class: "measured" }, MEASURED.map(([key, name, unit]) => html("div", {}, [
    html("dt", {}, [name]),
    html("dd", {}, [rounded(first.ecg.measurements[key]), html("span", { class: "unit" }, [` ${unit}`])]),
  ])));
}

/** A number as it is read: with a minus sign, which a hyphen is not. */
const numeral = (value) => String(value).replace("-", "−");

const rounded = (value) => value === null || value === undefined ? "–" : numeral(Math.round(value));

function compared(first, second) {
  const head = html("tr", {}, [html("td"), column(first.ecg.file, "file"), column(second.ecg.file, "file"), column("Change")]);
  const rows = MEASURED.map(([key, name, unit]) => {
    const [one, other] = [first, second].map(({ ecg }) => ecg.measurements[key] ?? null);
    const apart = one === null || other === null ? "–" : signed(key, Math.round(other) - Math.round(one));
    return html("tr", {}, [html("th", { scope: "row" }, [`${name}, ${unit}`]),
      ...[rounded(one), rounded(other), apart].map((word) => html("td", { class: "figure" }, [word]))]);
  });
  return html("table", { class: "compared" }, [html("thead", {}, [head]), html("tbody", {}, rows)]);
}

/** With its sign; of axes the shorter way round. */
function signed(key, difference) {
  const turned = key === "axis" ? ((difference + 540) % 360) - 180 : difference;
  return `${turned > 0 ? "+" : ""}${numeral(turned)}`;
}

/** How long a recording is, in words. */
export const lengthOf = (/** @type {import("./service.js").Ecg} */ ecg) => `${Number(duration(ecg).toFixed(2))} s`;

/** Who and when, as far as the file tells. */
export function about(/** @type {Recording} */ { ecg }) {
  const parts = [ecg.file, ecg.recorded?.replace("T", " "), ecg.age === null ? null : `${ecg.age} years`, ecg.sex];
  return [...parts.filter(Boolean), `${ecg.rate} Hz`, lengthOf(ecg)].join(" · ");
}
