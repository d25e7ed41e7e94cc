// Beats laid over each other at R: the median beat of each lead, and what shifts one recording onto another.

/**
 * @typedef {import("./paper.js").Trace} Trace
 * @typedef {import("./paper.js").Shade} Shade
 */

const BEFORE = 0.3; // s of a median beat before R
const AFTER = 0.55;

/** How long a median beat is, in seconds. */
export const WINDOW = BEFORE + AFTER;

/**
 * The median over beats of every lead, sample by sample, R at 0.3 s; null without a beat that lies on the recording whole.
 * @param {Trace} trace
 * @param {number[]} beats  R peaks in seconds
 * @returns {Trace | null}
 */
export function medianBeat(trace, beats) {
  const cut = (lines, rate, centre) => averaged(lines, rate, beats, centre);
  const millivolts = cut(trace.millivolts, trace.rate, median);
  if (!millivolts) return null;
  const { shade } = trace;
  const values = shade && cut(shade.values, shade.rate, mean);
  return { ...trace, millivolts, shade: values ? { ...shade, values } : undefined };
}

/**
 * How many seconds later `other`'s first beat comes; null where either has none.
 * @param {number[]} beats
 * @param {number[]} other
 */
export function shiftOf(beats, other) {
  return beats.length && other.length ? other[0] - beats[0] : null;
}

/** `centre` over the beats of `lines` at `rate`, a line a lead. */
function averaged(lines, rate, beats, centre) {
  const length = Math.round(WINDOW * rate) + 1;
  const starts = beats.map((r) => Math.round((r - BEFORE) * rate)).filter((start) => start >= 0 && start + length <= lines[0].length);
  if (!starts.length) return null;
  return lines.map((line) => Array.from({ length }, (_, index) => {
    const there = starts.map((start) => line[start + index]).filter((value) => value !== null);
    return there.length ? centre(there) : null;
  }));
}

function median(values) {
  const sorted = values.sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
