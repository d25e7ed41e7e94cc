// Two time lines and two voltage lines over the paper, moved by mouse, touch or keys.

import { svg } from "./svg.js";

/**
 * @typedef {import("./paper.js").View} View
 * @typedef {import("./paper.js").Sheet} Sheet
 * @typedef {{x: [number, number], y: [number, number]}} Lines  millimetres on the sheet
 * @typedef {{drawing: SVGSVGElement, sheet: Sheet, view: View}} Paper
 */

const STEP = 0.25; // mm a key press moves a line
const LEAP = 5; // with Shift
const KEYS = {
  ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowUp: ["y", -1], ArrowDown: ["y", 1],
};

/**
 * What the lines say.
 * @param {Lines} lines
 * @param {View} view
 */
export function measured({ x, y }, { speed, gain }) {
  const seconds = Math.abs(x[1] - x[0]) / speed;
  const millivolts = Math.abs(y[1] - y[0]) / gain;
  const rate = seconds > 0 ? `${(60 / seconds).toFixed(0)} bpm` : "– bpm";
  return `${(1000 * seconds).toFixed(0)} ms · ${rate} · ${millivolts.toFixed(2)} mV`;
}

/**
 * Lay calipers over a drawing. A press on the paper starts both pairs there and a drag opens them; a press on a line
 * moves that line; a line that has the focus moves with the arrow keys, by 0.25 mm or, with Shift, by 5 mm.
 * @param {Paper} paper
 * @param {Lines | null} before  where the lines were
 * @param {(lines: Lines) => void} changed
 */
export function layCalipers({ drawing, sheet, view }, before, changed) {
  const lines = before ?? {
    x: [sheet.left + 1.5 * view.speed, sheet.left + 2.5 * view.speed], y: [3, 3 + view.gain],
  };
  const marks = ["x", "x", "y", "y"].map((axis, index) => mark(axis, index % 2, sheet));
  const cover = svg("rect", { class: "cover", width: sheet.width, height: sheet.height, fill: "transparent" });
  const layer = svg("g", { class: "calipers", role: "group", "aria-label": "Calipers" }, [cover, ...marks]);

  const set = (axis, end, place) => {
    const most = axis === "x" ? sheet.width : sheet.height;
    lines[axis][end] = Math.min(most, Math.max(0, place));
  };
  const show = () => {
    marks.forEach((one, index) => place(one, index < 2 ? "x" : "y", index % 2, lines, sheet, view));
    changed(lines);
  };
  const at = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    return { x: point.x, y: point.y };
  };

  let held = null; // the line that is moved, or "both" ends that are opened
  layer.addEventListener("pointerdown", (event) => {
    const line = event.target.closest("[role=slider]");
    const { x, y } = at(event);
    held = line ?? "both";
    if (!line) {
      for (const end of [0, 1]) {
        set("x", end, x);
        set("y", end, y);
      }
      show();
    }
    layer.setPointerCapture(event.pointerId);
    line?.focus();
    event.preventDefault();
  });
  layer.addEventListener("pointermove", (event) => {
    if (held === null) return;
    const point = at(event);
    if (held === "both") {
      set("x", 1, point.x);
      set("y", 1, point.y);
    } else set(held.dataset.axis, Number(held.dataset.end), point[held.dataset.axis]);
    show();
  });
  for (const name of ["pointerup", "pointercancel"]) layer.addEventListener(name, () => { held = null; });
  layer.addEventListener("keydown", (event) => {
    const line = event.target.closest("[role=slider]");
    const [axis, sign] = KEYS[event.key] ?? [];
    if (!line || line.dataset.axis !== axis) return;
    const end = Number(line.dataset.end);
    set(axis, end, lines[axis][end] + sign * (event.shiftKey ? LEAP : STEP));
    show();
    event.preventDefault();
  });
  drawing.append(layer);
  show();
}

function mark(axis, end, sheet) {
  const name = `${axis === "x" ? "Time" : "Voltage"} line ${end + 1}`;
  const length = axis === "x" ? `v${sheet.height}` : `h${sheet.width}`;
  return svg("g", {
    role: "slider", tabindex: 0, "aria-label": name, "data-axis": axis, "data-end": end, class: `line ${axis}`,
    "aria-orientation": axis === "x" ? "horizontal" : "vertical",
    "aria-valuemin": 0, "aria-valuemax": axis === "x" ? sheet.width : sheet.height,
  }, [
    svg("path", { class: "grip", d: `M0 0${length}`, stroke: "transparent", "stroke-width": 5, fill: "none" }),
    svg("path", { class: "hair", d: `M0 0${length}`, stroke: "#0b5fa5", "stroke-width": 0.35, fill: "none" }),
  ]);
}

function place(line, axis, end, lines, sheet, view) {
  const there = lines[axis][end];
  line.setAttribute("transform", axis === "x" ? `translate(${there} 0)` : `translate(0 ${there})`);
  line.setAttribute("aria-valuenow", there.toFixed(2));
  line.setAttribute("aria-valuetext", axis === "x"
    ? `${((there - sheet.left) / view.speed + view.from).toFixed(3)} s, ${measured(lines, view)}`
    : `${(there / view.gain).toFixed(2)} mV from the top, ${measured(lines, view)}`);
}
