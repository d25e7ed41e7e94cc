// The papers that are shown: one a recording, or one for two.

import { medianBeat, shiftOf } from "./beats.js";
import { viewOf } from "./controls.js";
import { described, filtered } from "./filters.js";
import { about, percent } from "./findings.js";
import { draw, INK } from "./paper.js";
import { Complaint, duration } from "./service.js";
import { AGAINST, FOR } from "./shades.js";
import { html } from "./svg.js";

/**
 * @typedef {import("./service.js").Recording} Recording
 * @typedef {import("./service.js").Explanation} Explanation
 * @typedef {import("./paper.js").Trace} Trace
 * @typedef {{figure: HTMLElement, drawing: SVGSVGElement, sheet: import("./paper.js").Sheet, view: import("./paper.js").View}} Shown
 */

/**
 * A figure for each recording, or one for all of them.
 * @param {Recording[]} recordings
 * @param {import("./filters.js").Filters} filters
 * @param {(recording: Recording) => Explanation | undefined} explanationOf  drawn under its trace
 * @param {boolean} together  over each other, aligned at R
 * @returns {Shown[]}
 */
export function figures(recordings, filters, explanationOf, together) {
  const groups = together ? [recordings] : recordings.map((one) => [one]);
  return groups.map((group, index) => paper(group, filters, explanationOf(group[0]), index + 1));
}

/** One paper; of several recordings only the first is coloured, as colours over each other cannot be read. */
function paper(recordings, filters, explanation, number) {
  const [{ ecg }] = recordings;
  const view = viewOf(duration(ecg));
  if (!ecg.leads.includes(view.chosen)) [view.chosen] = ecg.leads;
  const traces = laid(recordings.map((one, index) => traceOf(one, filters, index ? undefined : explanation)), recordings, view.layout);
  const { drawing, sheet } = draw(traces, view, said(filters, recordings, view.layout), keysOf(recordings, explanation));
  const names = recordings.map((one) => html("span", { class: "header" }, [about(one)]));
  const head = html("figcaption", {}, [...names, html("span", { class: "print-only" }, ["Not a medical device. Not over-read."])]);
  const label = `Paper ${number}, ${recordings.map((one) => one.ecg.file).join(" and ")}: + and − zoom, 0 resets, arrows pan`;
  const scroll = html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, [drawing]);
  return { figure: html("figure", {}, [head, scroll]), drawing, sheet, view };
}

function said(filters, recordings, layout) {
  const how = layout === "beats" ? "median beats, aligned at R" : recordings.length > 1 ? "first beats aligned at R" : "";
  return [described(filters, recordings.map(({ ecg }) => ecg.rate)), how].filter(Boolean).join(" · ");
}

/** @returns {Trace} */
function traceOf({ ecg }, filters, explanation) {
  const millivolts = ecg.microvolts.map((lead) => filtered(lead.map((value) => value === null ? null : value / 1000), ecg.rate, filters));
  const shade = explanation && { rate: explanation.rate, leads: explanation.leads, values: explanation.shade };
  return { file: ecg.file, rate: ecg.rate, leads: ecg.leads, millivolts, shade };
}

/** Traces as the layout wants them: median beats, or moved so that their first beats lie over each other. */
function laid(traces, recordings, layout) {
  const beats = recordings.map(({ ecg }) => ecg.beats);
  return traces.map((trace, index) => {
    const placed = layout === "beats" ? medianBeat(trace, beats[index]) : moved(trace, beats[0], beats[index], index);
    if (!placed) throw new Complaint(`No beat was found in ${trace.file} that could be laid over others; choose another way to see it.`);
    return placed;
  });
}

function moved(trace, first, own, index) {
  const shift = index === 0 ? 0 : shiftOf(first, own);
  return shift === null ? null : { ...trace, shift };
}

/** @returns {import("./paper.js").Key[]} */
function keysOf(recordings, explanation) {
  const inks = [{ ink: INK.trace, kind: "ink" }, { ink: INK.second, kind: "ink second" }];
  const files = recordings.length > 1 ? recordings.map(({ ecg }, index) => ({ ...inks[index], words: ecg.file })) : [];
  if (!explanation) return files;
  const { title, probability, part, method } = explanation;
  const speaks = { ink: FOR, kind: "for", words: `for ${title} (${percent(probability)}${part ? ` of ${part}` : ""})` };
  const against = method === "grad-cam" ? [] : [{ ink: AGAINST, kind: "against", words: "against it" }];
  return [...files, speaks, ...against];
}
