// Which lead stands where on the paper, and which part of the recording it shows.

/**
 * @typedef {{lead: string, from: number, seconds: number}} Cell  a lead, and the seconds of the recording that it shows
 * @typedef {"3x4+1" | "6x2" | "12x1" | "single"} Layout
 */

const STANDARD = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
const COLUMNS = { "3x4+1": 4, "6x2": 2, "12x1": 1 };

/** What one sheet shows of a recording, in seconds. */
export const SHEET = 10;

/**
 * Rows of cells. Columns follow one another in time, as on a recorder's paper; a rhythm row runs through all of it.
 * Leads other than the standard twelve follow in rows of their own.
 * @param {Layout} layout
 * @param {string[]} leads  that the recording has
 * @param {string} chosen  the rhythm lead, or the single one
 * @param {number} from  seconds
 * @param {number} seconds
 * @returns {Cell[][]}
 */
export function rowsOf(layout, leads, chosen, from, seconds) {
  const whole = (lead) => [{ lead, from, seconds }];
  if (layout === "single") return [whole(chosen)];
  const others = leads.filter((lead) => !STANDARD.includes(lead)).map(whole);
  const columns = COLUMNS[layout];
  const height = STANDARD.length / columns;
  const rows = [];
  for (let row = 0; row < height; row += 1) {
    const cells = [];
    for (let column = 0; column < columns; column += 1) {
      const part = seconds / columns;
      cells.push({ lead: STANDARD[column * height + row], from: from + column * part, seconds: part });
    }
    if (cells.some((cell) => leads.includes(cell.lead))) rows.push(cells);
  }
  if (layout === "3x4+1") rows.push(whole(chosen));
  return [...rows, ...others];
}
