// What the model says and what was measured, as tables.

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

/**
 * The probabilities of a recording, a table a task.
 * @param {Recording} recording
 * @returns {HTMLElement[]}
 */
export function findings({ answer, model }) {
  if (answer.error) return [html("p", { class: "problem" }, [answer.error])];
  const groups = Map.groupBy
    ? Map.groupBy(answer.classes, task)
    : answer.classes.reduce((all, one) => all.set(task(one), [...(all.get(task(one)) ?? []), one]), new Map());
  const notes = answer.notes.map((note) => html("li", {}, [note]));
  const tables = [...groups].map(([name, statements], index) => group(name, statements, index === 0));
  return [...(notes.length ? [html("ul", { class: "doubts" }, notes)] : []), ...tables,
    html("p", { class: "small" }, [`Calibrated probabilities of the model ${model}; a statement is called from its threshold on.`])];
}

const task = (statement) => statement.name.includes(":") ? statement.name.split(":")[0] : "";

function group(name, statements, open) {
  const sorted = [...statements].sort((one, other) => other.call - one.call || other.probability - one.probability);
  const called = sorted.filter((one) => one.call);
  const count = html("span", { class: "small" }, [` ${called.length} of ${statements.length} called`]);
  const head = html("tr", {}, ["Statement", "Probability", "Threshold", "Call"].map((word) => html("th", { scope: "col" }, [word])));
  const table = html("table", {}, [html("thead", {}, [head]), html("tbody", {}, sorted.map(row))]);
  const details = html("details", {}, [html("summary", {}, [TASKS[name] ?? (name || "Statements"), count]), table]);
  details.open = open;
  return details;
}

function row({ name, title, probability, threshold, call }) {
  const code = name.split(":").pop();
  const words = [title, ...(code && code !== title ? [html("span", { class: "code" }, [` ${code}`])] : [])];
  return html("tr", call ? { class: "called" } : {}, [
    html("th", { scope: "row" }, words),
    html("td", {}, [bar(probability, threshold), html("span", { class: "figure" }, [percent(probability)])]),
    html("td", { class: "figure" }, [percent(threshold)]),
    html("td", {}, [call ? "yes" : "no"]),
  ]);
}

function bar(probability, threshold) {
  return svg("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, [
    svg("rect", { class: "rail", width: 100, height: 8, rx: 1 }),
    svg("rect", { class: "fill", width: 100 * probability, height: 8, rx: 1 }),
    svg("rect", { class: "mark", x: Math.max(0, 100 * threshold - 0.5), width: 1, height: 8 }),
  ]);
}

const percent = (value) => value >= 0.9995 || value < 0.0005 ? `${(100 * value).toFixed(0)} %` : `${(100 * value).toFixed(1)} %`;

/**
 * Rate, intervals and axis; a dash where none could be measured.
 * @param {Recording} recording
 * @returns {HTMLElement}
 */
export function measurements({ ecg }) {
  return html("dl", { class: "measured" }, MEASURED.map(([key, name, unit]) => {
    const value = ecg.measurements[key];
    const said = value === null || value === undefined ? "–" : `${Math.round(value)}`;
    return html("div", {}, [html("dt", {}, [name]), html("dd", {}, [said, html("span", { class: "unit" }, [` ${unit}`])])]);
  }));
}

/** Who and when, as far as the file tells. */
export function about({ ecg }) {
  const seconds = ecg.microvolts[0].length / ecg.rate;
  const parts = [ecg.file, ecg.recorded?.replace("T", " "), ecg.age === null ? null : `${ecg.age} years`, ecg.sex];
  return [...parts.filter(Boolean), `${ecg.rate} Hz`, `${Number(seconds.toFixed(2))} s`].join(" · ");
}
