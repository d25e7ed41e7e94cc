// What an answer rests on, as colour under the trace: orange speaks for the statement, blue against it.

import { svg } from "./svg.js";

export const FOR = "#e8590c"; // told apart with any colour vision
export const AGAINST = "#1c7ed6";
const STEPS = 6; // of each colour
const BROAD = 2.4; // mm

/**
 * Paths that lie under a trace, one for each step of each colour.
 * @param {[number, number][]} points  of the trace in millimetres; NaN where the recorder lost some
 * @param {number[]} strengths  from -1 to 1, one a point
 * @returns {SVGElement[]}
 */
export function shadePaths(points, strengths) {
  const paths = new Map();
  points.forEach(([x, y], index) => {
    const step = Math.round(Math.max(-1, Math.min(1, strengths[index])) * STEPS);
    const next = points[index + 1];
    if (!step || !next || Number.isNaN(y) || Number.isNaN(next[1])) return;
    const before = paths.get(step);
    const begin = before && before.end === index ? "" : `M${x.toFixed(2)} ${y.toFixed(2)}`;
    const d = `${before?.d ?? ""}${begin}L${next[0].toFixed(2)} ${next[1].toFixed(2)}`;
    paths.set(step, { d, end: index + 1 });
  });
  const order = [...paths].sort(([one], [other]) => Math.abs(one) - Math.abs(other));
  return order.map(([step, { d }]) => svg("path", {
    class: step > 0 ? "for" : "against", d, fill: "none", stroke: step > 0 ? FOR : AGAINST,
    "stroke-width": BROAD, "stroke-opacity": (0.12 + 0.78 * Math.abs(step) / STEPS).toFixed(2), "stroke-linejoin": "round",
  }));
}

/**
 * The strength of a lead's samples `first` ... at `rate`, 0 beyond what was explained.
 * @param {import("./paper.js").Shade} shade
 * @param {string} lead
 * @param {number} first
 * @param {number} count
 * @param {number} rate
 */
export function strengthsOf(shade, lead, first, count, rate) {
  const values = shade.values[shade.leads.indexOf(lead)] ?? [];
  return Array.from({ length: count }, (_, index) => values[Math.round((first + index) / rate * shade.rate)] ?? 0);
}
