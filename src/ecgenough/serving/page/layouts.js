// Which lead stands where on the paper, and which part of the recording it shows.

import { WINDOW } from "./beats.js";

/**
 * @typedef {{lead: string, from: number, seconds: number, at: number}} Cell  a lead, the seconds of the recording that it
 *   shows, and at which second of the paper they begin
 * @typedef {"3x4+1" | "6x2" | "12x1" | "single" | "beats"} Layout
 */

const STANDARD = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
const COLUMNS = { "3x4+1": 4, "6x2": 2, "12x1": 1 };
const BESIDE = 6; // median beats in a row: limb leads above chest leads
const APART = 1; // s from one of them to the next

/** What one sheet shows of a recording, in seconds. */
export const SHEET = 10;

/** How many seconds wide the paper of a layout is, for a recording of `seconds`. */
export function widthOf(/** @type {Layout} */ layout, /** @type {number} */ seconds) {
  return layout === "beats" ? BESIDE * APART : Math.min(SHEET, seconds);
}

/**
 * Rows of cells. Columns follow one another in time, as on a recorder's paper; a rhythm row runs through all of it.
 * Leads other than the standard twelve follow in rows of their own. Median beats stand side by side.
 * @param {Layout} layout
 * @param {string[]} leads  that the recording has
 * @param {string} chosen  the rhythm lead, or the single one
 * @param {number} from  seconds
 * @param {number} seconds
 * @returns {Cell[][]}
 */
export function rowsOf(layout, leads, chosen, from, seconds) {
  const whole = (lead) => [{ lead, from, seconds, at: 0 }];
  if (layout === "single") return [whole(chosen)];
  if (layout === "beats") return beatsOf(leads);
  const others = leads.filter((lead) => !STANDARD.includes(lead)).map(whole);
  const columns = COLUMNS[layout];
  const height = STANDARD.length / columns;
  const rows = [];
  for (let row = 0; row < height; row += 1) {
    const cells = [];
    for (let column = 0; column < columns; column += 1) {
      const part = seconds / columns;
      cells.push({ lead: STANDARD[column * height + row], from: from + column * part, seconds: part, at: column * part });
    }
    if (cells.some((cell) => leads.includes(cell.lead))) rows.push(cells);
  }
  if (layout === "3x4+1") rows.push(whole(chosen));
  return [...rows, ...others];
}

/** @returns {Cell[][]} */
function beatsOf(/** @type {string[]} */ leads) {
  const known = STANDARD.filter((lead) => leads.includes(lead));
  const all = [...known, ...leads.filter((lead) => !STANDARD.includes(lead))];
  const rows = [];
  for (let first = 0; first < all.length; first += BESIDE) {
    rows.push(all.slice(first, first + BESIDE).map((lead, place) => ({ lead, from: 0, seconds: WINDOW, at: place * APART })));
  }
  return rows;
}
