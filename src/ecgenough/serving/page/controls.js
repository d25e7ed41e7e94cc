// The settings of the paper as the form says them, and those of this screen that are kept.

import { SHEET, widthOf } from "./layouts.js";

/**
 * @typedef {import("./paper.js").View} View
 * @typedef {import("./filters.js").Filters} Filters
 */

const ZOOMS = [1, 1.5, 2, 3, 4, 6];
const KEPT = "ecgenough.screen"; // how many millimetres of the style sheet make one on this screen
const field = (name) => document.getElementById(name);

/** What the form says of the view, for a recording of `seconds`. */
export function viewOf(/** @type {number} */ seconds) {
  const layout = field("layout").value;
  const from = Math.max(0, Math.min(Number(field("from").value) || 0, seconds - SHEET));
  return /** @type {View} */ ({
    speed: Number(field("speed").value), gain: Number(field("gain").value), layout, chosen: field("lead").value, from,
    seconds: widthOf(layout, seconds),
  });
}

/** @returns {Filters} */
export function filtersOf() {
  return { highpass: field("highpass").checked, lowpass: field("lowpass").checked, notch: Number(field("notch").value) };
}

/** Raw signals again. */
export function noFilters() {
  field("highpass").checked = field("lowpass").checked = false;
  field("notch").value = "0";
}

/** Offer the leads and the sections of a recording. */
export function offer(/** @type {string[]} */ leads, /** @type {number} */ seconds) {
  const lead = field("lead");
  const before = lead.value;
  lead.replaceChildren(...leads.map((name) => new Option(name, name)));
  lead.value = leads.includes(before) ? before : leads.includes("II") ? "II" : leads[0];
  const from = field("from");
  from.max = String(Math.max(0, seconds - SHEET));
  from.value = "0";
  from.closest("label").hidden = seconds <= SHEET;
}

/** Show one lead alone, or the layout before it. */
export function toggleSingle(/** @type {string} */ lead) {
  const layout = field("layout");
  if (layout.value === "single") layout.value = layout.dataset.before ?? "3x4+1";
  else {
    layout.dataset.before = layout.value;
    layout.value = "single";
    field("lead").value = lead;
  }
}

/** The zoom one step up (1) or down (-1), or none (0). */
export function zoomed(/** @type {number} */ now, /** @type {number} */ step) {
  if (step === 0) return 1;
  const further = step > 0 ? ZOOMS.find((one) => one > now) : ZOOMS.findLast((one) => one < now);
  return further ?? now;
}

/** A zoom by two fingers is any within the range of the steps. */
export const withinZoom = (/** @type {number} */ zoom) => Math.min(ZOOMS.at(-1), Math.max(1, Math.round(20 * zoom) / 20));

/** Keep the scale of this screen in its browser, and apply it. */
export function calibrate() {
  const input = field("screen");
  const apply = () => {
    document.documentElement.style.setProperty("--screen", String(Number(input.value) / 100));
    field("screen-says").textContent = `${input.value} %`;
  };
  input.value = localStorage.getItem(KEPT) ?? "100";
  apply();
  input.addEventListener("input", () => {
    localStorage.setItem(KEPT, input.value);
    apply();
  });
}
