// Filters computed here, on request only: second-order sections run forward and backward, so that no wave is moved.

/**
 * @typedef {{b: number[], a: number[]}} Section  of a difference equation, a[0] = 1
 * @typedef {{highpass: boolean, lowpass: boolean, notch: number}} Filters  notch in Hz, 0 for none
 */

export const HIGH_PASS = 0.5; // Hz
export const LOW_PASS = 40; // Hz
const NOTCH_QUALITY = 30; // centre over width
const ROOT_HALF = Math.SQRT1_2; // quality of a Butterworth section of order 2

/** A filter at or above half the sampling rate is left out: there is nothing for it to remove. */
const fits = (hertz, rate) => hertz < rate / 2;

/**
 * What the filters do to recordings of these rates, and which of them is left out at which rate, in words.
 * @param {Filters} filters
 * @param {number[]} rates  Hz
 */
export function described({ highpass, lowpass, notch }, rates) {
  const chosen = [highpass && ["high-pass", HIGH_PASS], lowpass && ["low-pass", LOW_PASS], notch && ["notch", notch]].filter(Boolean);
  const done = chosen.filter(([, hertz]) => rates.some((rate) => fits(hertz, rate))).map(([name, hertz]) => `${name} ${hertz} Hz`);
  const left = chosen.flatMap(([name, hertz]) => [...new Set(rates)].filter((rate) => !fits(hertz, rate))
    .map((rate) => `no ${name} ${hertz} Hz at ${rate} Hz`));
  return [done.length ? `filtered: ${done.join(", ")}` : "unfiltered", left.join(", ")].filter(Boolean).join(" · ");
}

/**
 * A lead through the chosen filters. A lead with lost samples is filtered stretch by stretch.
 * @param {(number | null)[]} lead
 * @param {number} rate  Hz
 * @param {Filters} filters
 */
export function filtered(lead, rate, filters) {
  const sections = sectionsOf(filters, rate);
  return sections.length ? stretches(lead).flatMap((part) => part[0] === null ? part : sections.reduce(bothWays, part)) : lead;
}

/** @returns {Section[]} */
function sectionsOf({ highpass, lowpass, notch }, rate) {
  const sections = [];
  if (highpass) sections.push(section("high", HIGH_PASS, rate, ROOT_HALF));
  if (lowpass && fits(LOW_PASS, rate)) sections.push(section("low", LOW_PASS, rate, ROOT_HALF));
  if (notch && fits(notch, rate)) sections.push(section("notch", notch, rate, NOTCH_QUALITY));
  return sections;
}

/**
 * A section by the bilinear transform, its frequency kept (R. Bristow-Johnson, Audio EQ Cookbook).
 * @param {"low" | "high" | "notch"} kind
 * @param {number} hertz
 * @param {number} rate
 * @param {number} quality
 * @returns {Section}
 */
export function section(kind, hertz, rate, quality) {
  const angle = (2 * Math.PI * hertz) / rate;
  const cos = Math.cos(angle);
  const alpha = Math.sin(angle) / (2 * quality);
  const b = {
    low: [(1 - cos) / 2, 1 - cos, (1 - cos) / 2],
    high: [(1 + cos) / 2, -1 - cos, (1 + cos) / 2],
    notch: [1, -2 * cos, 1],
  }[kind];
  const scale = 1 + alpha;
  return { b: b.map((value) => value / scale), a: [1, (-2 * cos) / scale, (1 - alpha) / scale] };
}

/** Forward and backward over the values, their ends extended by a point reflection so that they do not ring. */
export function bothWays(/** @type {number[]} */ values, /** @type {Section} */ filter) {
  if (values.length < 2) return values;
  const pad = Math.min(values.length - 1, 1000);
  const last = values.length - 1;
  const before = Array.from({ length: pad }, (_, index) => 2 * values[0] - values[pad - index]);
  const after = Array.from({ length: pad }, (_, index) => 2 * values[last] - values[last - 1 - index]);
  const forward = once([...before, ...values, ...after], filter);
  return once(forward.reverse(), filter).reverse().slice(pad, pad + values.length);
}

/** One way, begun as if the first value had been there for ever. */
function once(values, { b, a }) {
  const gain = (b[0] + b[1] + b[2]) / (a[0] + a[1] + a[2]);
  let first = (gain - b[0]) * values[0];
  let second = (b[2] - a[2] * gain) * values[0];
  return values.map((value) => {
    const out = b[0] * value + first;
    first = b[1] * value - a[1] * out + second;
    second = b[2] * value - a[2] * out;
    return out;
  });
}

function stretches(lead) {
  const parts = [];
  lead.forEach((value, index) => {
    if (index === 0 || (value === null) !== (lead[index - 1] === null)) parts.push([]);
    parts[parts.length - 1].push(value);
  });
  return parts;
}
