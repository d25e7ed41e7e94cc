// An ECG on millimetre paper. One unit of the drawing is one millimetre, whatever the screen.

import { rowsOf } from "./layouts.js";
import { svg } from "./svg.js";

/**
 * @typedef {{file: string, rate: number, leads: string[], millivolts: (number | null)[][]}} Trace
 * @typedef {{speed: number, gain: number, layout: import("./layouts.js").Layout, chosen: string,
 *            from: number, seconds: number}} View  speed in mm/s, gain in mm/mV
 * @typedef {{width: number, height: number, left: number}} Sheet  millimetres; `left` is where time begins
 */

const LEFT = 15; // room for the calibration pulse
const RIGHT = 4;
const TOP = 5;
const FOOT = 10;
const LEAST = 10; // of a row above and below its baseline
const MOST = 60;
const PULSE = 0.2; // s
const NAME = 5; // height of a lead's name with the room around it
// Light colours are written into the drawing, so that a copy of it looks the same anywhere; the style sheet darkens them.
const INK = { paper: "#fffaf8", fine: "#f9dcd6", thick: "#eda99d", trace: "#14161a", text: "#3a3335" };

/**
 * Draw a recording.
 * @param {Trace} trace
 * @param {View} view
 * @param {string} filters  what was done to the trace, for its foot
 * @returns {{drawing: SVGSVGElement, sheet: Sheet}}
 */
export function draw(trace, view, filters) {
  const rows = rowsOf(view.layout, trace.leads, view.chosen, view.from, view.seconds);
  const places = [];
  let y = TOP;
  for (const row of rows) {
    const [above, below] = reach(row, trace, view.gain);
    places.push({ row, baseline: y + above });
    y += above + below;
  }
  const width = Math.ceil(LEFT + view.seconds * view.speed + RIGHT);
  const height = Math.ceil((y + FOOT) / 5) * 5;
  const scales = `${view.speed} mm/s · ${view.gain} mm/mV`;
  const drawing = svg("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "group", "data-width": width, "data-height": height,
    "aria-label": `ECG ${trace.file}, ${view.layout === "single" ? `lead ${view.chosen}` : view.layout}, ${scales}, ${filters}`,
  }, [grid(width, height)]);
  for (const { row, baseline } of places) {
    drawing.append(pulse(baseline, view));
    row.forEach((cell, column) => drawing.append(strip(cell, trace, view, baseline, column > 0)));
  }
  drawing.append(text(LEFT, height - 3, `${scales} · ${filters}`, "foot"));
  drawing.style.setProperty("--mm-wide", String(width));
  drawing.style.setProperty("--mm-high", String(height));
  return { drawing, sheet: { width, height, left: LEFT } };
}

/** Room a row needs above and below its baseline, in whole 5 mm. */
function reach(row, trace, gain) {
  let highest = 1;
  let lowest = 0;
  for (const cell of row) {
    for (const value of samples(cell, trace)) {
      if (value !== null && value > highest) highest = value;
      if (value !== null && value < lowest) lowest = value;
    }
  }
  const room = (mm) => Math.min(MOST, Math.max(LEAST, Math.ceil(mm / 5) * 5));
  return [room(highest * gain + NAME), room(-lowest * gain + 1)];
}

/** @returns {(number | null)[]} the samples a cell shows, in mV */
function samples(cell, trace) {
  const lead = trace.millivolts[trace.leads.indexOf(cell.lead)] ?? [];
  return lead.slice(Math.round(cell.from * trace.rate), Math.round((cell.from + cell.seconds) * trace.rate) + 1);
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

function strip(cell, trace, view, baseline, divided) {
  const x = LEFT + (cell.from - view.from) * view.speed;
  const there = trace.leads.includes(cell.lead);
  const children = [];
  if (divided) {
    const d = `M${x} ${baseline - 4}v8`;
    children.push(svg("path", { class: "trace", d, stroke: INK.trace, "stroke-width": 0.2, fill: "none" }));
  }
  const top = nameHeight(cell, trace, view);
  const name = text(x + 1.5, baseline - top, there ? cell.lead : `${cell.lead} not recorded`, "lead");
  if (there) {
    const d = line(samples(cell, trace), x, view.speed / trace.rate, baseline, view.gain);
    children.push(svg("path", {
      class: "trace", d, fill: "none", stroke: INK.trace, "stroke-width": 0.3, "stroke-linejoin": "round", "data-lead": cell.lead,
    }));
    const label = `Lead ${cell.lead}: show it alone, or all again`;
    const room = svg("rect", { x: x + 0.5, y: baseline - top - 4, width: 9, height: 6, fill: "transparent" });
    children.push(svg("g", { class: "name", role: "button", tabindex: 0, "aria-label": label, "data-lead": cell.lead }, [room, name]));
  } else children.push(name);
  return svg("g", {}, children);
}

/** How far above the baseline a name stands clear of the trace below it. */
function nameHeight(cell, trace, { speed, gain }) {
  const below = samples({ ...cell, seconds: 11 / speed }, trace);
  const highest = below.reduce((most, value) => Math.max(most, value ?? 0), 0);
  return Math.min(MOST - NAME, Math.max(5, highest * gain + 1.5));
}

/** A path through the samples; a gap where the recorder lost some. */
function line(values, x, step, baseline, gain) {
  let path = "";
  let pen = "M";
  values.forEach((value, index) => {
    if (value === null) {
      pen = "M";
      return;
    }
    path += `${pen}${(x + index * step).toFixed(2)} ${(baseline - value * gain).toFixed(2)}`;
    pen = "L";
  });
  return path;
}

function text(x, y, words, kind) {
  return svg("text", {
    x, y, class: kind, fill: INK.text, "font-size": 3.2, "font-family": "Arial, Liberation Sans, sans-serif",
    "font-weight": kind === "lead" ? 700 : 400,
  }, [words]);
}
