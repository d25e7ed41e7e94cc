// An ECG on millimetre paper. One unit of the drawing is one millimetre, whatever the screen.

import { rowsOf } from "./layouts.js";
import { shadePaths, strengthsOf } from "./shades.js";
import { svg } from "./svg.js";

/**
 * @typedef {{rate: number, leads: string[], values: number[][]}} Shade  from -1 to 1
 * @typedef {{file: string, rate: number, leads: string[], millivolts: (number | null)[][], shift?: number,
 *            shade?: Shade}} Trace  `shift` is how many seconds earlier it is drawn
 * @typedef {{speed: number, gain: number, layout: import("./layouts.js").Layout, chosen: string,
 *            from: number, seconds: number}} View  speed in mm/s, gain in mm/mV
 * @typedef {{ink: string, kind: string, words: string}} Key  what a colour on the paper means
 * @typedef {{width: number, height: number, left: number}} Sheet  millimetres; `left` is where time begins
 */

const LEFT = 15; // room for the calibration pulse
const RIGHT = 4;
const TOP = 5;
const FOOT = 10;
const LINE = 5; // of the foot
const LEAST = 10; // of a row above and below its baseline
const MOST = 60;
const PULSE = 0.2; // s
const NAME = 5; // height of a lead's name with the room around it
// Light colours are written into the drawing, so that a copy of it looks the same anywhere; the style sheet darkens them.
export const INK = { paper: "#fffaf8", fine: "#f9dcd6", thick: "#eda99d", trace: "#14161a", second: "#8427a8", text: "#3a3335" };

/**
 * Draw a recording, or several over each other.
 * @param {Trace[]} traces  of which the first decides the leads
 * @param {View} view
 * @param {string} filters  what was done to the traces, for the foot
 * @param {Key[]} [keys]  for the foot
 * @returns {{drawing: SVGSVGElement, sheet: Sheet}}
 */
export function draw(traces, view, filters, keys = []) {
  const rows = rowsOf(view.layout, traces[0].leads, view.chosen, view.from, view.seconds);
  const places = [];
  let y = TOP;
  for (const row of rows) {
    const [above, below] = reach(row, traces, view.gain);
    places.push({ row, baseline: y + above });
    y += above + below;
  }
  const width = Math.ceil(LEFT + view.seconds * view.speed + RIGHT);
  const legends = legendLines(keys, width);
  const height = Math.ceil((y + FOOT + LINE * legends.length) / 5) * 5;
  const scales = `${view.speed} mm/s · ${view.gain} mm/mV`;
  const names = traces.map(({ file }) => file).join(" and ");
  const drawing = svg("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "group", "data-width": width, "data-height": height,
    "aria-label": `ECG ${names}, ${view.layout === "single" ? `lead ${view.chosen}` : view.layout}, ${scales}, ${filters}`,
  }, [grid(width, height)]);
  for (const { row, baseline } of places) {
    drawing.append(pulse(baseline, view));
    row.forEach((cell, column) => drawing.append(strip(cell, traces, view, baseline, column > 0)));
  }
  drawing.append(text(LEFT, height - 3 - LINE * legends.length, `${scales} · ${filters}`, "foot"));
  legends.forEach((line, index) => drawing.append(legend(line, height - 3 - LINE * (legends.length - 1 - index))));
  drawing.style.setProperty("--mm-wide", String(width));
  drawing.style.setProperty("--mm-high", String(height));
  return { drawing, sheet: { width, height, left: LEFT } };
}

/** Room a row needs above and below its baseline, in whole 5 mm. */
function reach(row, traces, gain) {
  let highest = 1;
  let lowest = 0;
  for (const value of row.flatMap((cell) => traces.flatMap((trace) => samples(cell, trace)))) {
    if (value !== null && value > highest) highest = value;
    if (value !== null && value < lowest) lowest = value;
  }
  const room = (mm) => Math.min(MOST, Math.max(LEAST, Math.ceil(mm / 5) * 5));
  return [room(highest * gain + NAME), room(-lowest * gain + 1)];
}

/** The first sample that a cell shows of a trace. */
const firstOf = (cell, trace) => Math.round((cell.from + (trace.shift ?? 0)) * trace.rate);

/** @returns {(number | null)[]} the samples a cell shows, in mV; null before and after the recording */
function samples(cell, trace) {
  const lead = trace.millivolts[trace.leads.indexOf(cell.lead)] ?? [];
  const first = firstOf(cell, trace);
  return Array.from({ length: Math.round(cell.seconds * trace.rate) + 1 }, (_, index) => lead[first + index] ?? null);
}

function grid(width, height) {
  const lines = (every, but) => {
    let path = "";
    for (let x = 0; x <= width; x += every) if (!but || x % but) path += `M${x} 0V${height}`;
    for (let y = 0; y <= height; y += every) if (!but || y % but) path += `M0 ${y}H${width}`;
    return path;
  };
  return svg("g", { "aria-hidden": "true" }, [
    svg("rect", { class: "sheet", width, height, fill: INK.paper }),
    svg("path", { class: "fine", d: lines(1, 5), stroke: INK.fine, "stroke-width": 0.1, fill: "none" }),
    svg("path", { class: "thick", d: lines(5, 0), stroke: INK.thick, "stroke-width": 0.16, fill: "none" }),
  ]);
}

/** The pulse of 1 mV and 0.2 s that shows both scales. */
function pulse(baseline, { speed, gain }) {
  const wide = PULSE * speed;
  const d = `M${LEFT - wide - 3} ${baseline}h1v${-gain}h${wide}v${gain}h1`;
  return svg("path", { class: "trace pulse", d, fill: "none", stroke: INK.trace, "stroke-width": 0.3 });
}

function strip(cell, traces, view, baseline, divided) {
  const x = LEFT + cell.at * view.speed;
  const children = [];
  if (divided && view.layout !== "beats") {
    const d = `M${x} ${baseline - 4}v8`;
    children.push(svg("path", { class: "trace", d, stroke: INK.trace, "stroke-width": 0.2, fill: "none" }));
  }
  const there = traces.filter((trace) => trace.leads.includes(cell.lead));
  there.forEach((trace) => children.push(...traced(cell, trace, view, x, baseline, trace === traces[0])));
  const top = nameHeight(cell, there, view);
  const recorded = traces[0].leads.includes(cell.lead);
  const name = text(x + 1.5, baseline - top, recorded ? cell.lead : `${cell.lead} not recorded`, "lead");
  if (recorded) {
    const label = `Lead ${cell.lead}: show it alone, or all again`;
    const room = svg("rect", { x: x + 0.5, y: baseline - top - 4, width: 9, height: 6, fill: "transparent" });
    children.push(svg("g", { class: "name", role: "button", tabindex: 0, "aria-label": label, "data-lead": cell.lead }, [room, name]));
  } else children.push(name);
  return svg("g", {}, children);
}

/** A lead of one recording with its shade under it. */
function traced(cell, trace, view, x, baseline, first) {
  const values = samples(cell, trace);
  const points = values.map((value, index) => [x + index * view.speed / trace.rate, value === null ? NaN : baseline - value * view.gain]);
  const shades = trace.shade
    ? shadePaths(points, strengthsOf(trace.shade, cell.lead, firstOf(cell, trace), values.length, trace.rate))
    : [];
  return [...shades, svg("path", {
    class: first ? "trace" : "trace second", d: line(points), fill: "none", stroke: first ? INK.trace : INK.second,
    "stroke-width": 0.3, "stroke-linejoin": "round", "data-lead": cell.lead,
  })];
}

/** How far above the baseline a name stands clear of the traces below it. */
function nameHeight(cell, traces, { speed, gain }) {
  const below = traces.flatMap((trace) => samples({ ...cell, seconds: 11 / speed }, trace));
  const highest = below.reduce((most, value) => Math.max(most, value ?? 0), 0);
  return Math.min(MOST - NAME, Math.max(5, highest * gain + 1.5));
}

/** A path through points; a gap where the recorder lost some. */
function line(points) {
  let path = "";
  let pen = "M";
  for (const [x, y] of points) {
    if (Number.isNaN(y)) pen = "M";
    else {
      path += `${pen}${x.toFixed(2)} ${y.toFixed(2)}`;
      pen = "L";
    }
  }
  return path;
}

/** How broad a key of the legend is, about. */
const broad = ({ words }) => 9.5 + 1.75 * words.length;

/** The keys in as many lines as the paper's width asks for. */
function legendLines(keys, width) {
  const lines = [];
  let room = 0;
  for (const key of keys) {
    if (broad(key) > room) {
      lines.push([]);
      room = width - LEFT;
    }
    lines.at(-1).push(key);
    room -= broad(key);
  }
  return lines;
}

/** What the colours mean. */
function legend(keys, y) {
  let x = LEFT;
  return svg("g", {}, keys.flatMap((key) => {
    const left = x;
    x += broad(key);
    return [svg("rect", { class: key.kind, x: left, y: y - 2.4, width: 4, height: 2.4, fill: key.ink }), text(left + 5.5, y, key.words, "key")];
  }));
}

function text(x, y, words, kind) {
  return svg("text", {
    x, y, class: kind, fill: INK.text, "font-size": 3.2, "font-family": "Arial, Liberation Sans, sans-serif",
    "font-weight": kind === "lead" ? 700 : 400,
  }, [words]);
}
