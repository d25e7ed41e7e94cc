// Which statement is explained and how; each explanation is asked for once.

import { explain } from "./service.js";
import { html } from "./svg.js";
import { lengthOf, taskOf, titleOfTask } from "./findings.js";

/**
 * @typedef {import("./service.js").Recording} Recording
 * @typedef {import("./service.js").Explanation} Explanation
 */

const field = (name) => document.getElementById(name);

/** @type {WeakMap<Recording, Map<string, Explanation>>} */
const known = new WeakMap();
const question = () => `${field("statement").value} ${field("method").value}`;

const METHODS = {
  "integrated-gradients": "integrated gradients", "grad-cam": "Grad-CAM, by time only", occlusion: "occlusion by wave",
};

/** Offer a recording's statements, the likeliest first, and what they can be explained by; what was chosen before stays. */
export function offerExplanations(/** @type {Recording} */ { answer, methods }) {
  offerMethods(methods);
  const statement = field("statement");
  const before = statement.value;
  const groups = new Map();
  const likely = [...answer.classes].sort((one, other) => other.call - one.call || other.probability - one.probability);
  for (const one of likely) groups.set(taskOf(one), [...(groups.get(taskOf(one)) ?? []), new Option(one.title, one.name)]);
  statement.replaceChildren(...[...groups].map(([task, options]) => html("optgroup", { label: titleOfTask(task) }, options)));
  if (likely.some(({ name }) => name === before)) statement.value = before;
  field("explanation").disabled = likely.length === 0 || methods.length === 0;
}

function offerMethods(/** @type {string[]} */ methods) {
  const method = field("method");
  const before = method.value;
  const offered = methods.map((name) => new Option(METHODS[name] ?? name, name));
  method.replaceChildren(...(offered.length ? offered : [new Option("not installed on this service", "")]));
  if (methods.includes(before)) method.value = before;
}

/** @returns {Explanation | undefined} what is known already of the question that the form asks */
export function explanationOf(/** @type {Recording} */ recording) {
  return field("explain").checked ? known.get(recording)?.get(question()) : undefined;
}

/**
 * What is to be known of the colours of these recordings; nothing where none is coloured.
 * @param {Recording[]} recordings
 * @param {boolean} together  over each other, where only the first is coloured
 */
export function saidOf(recordings, together) {
  const coloured = (together ? recordings.slice(0, 1) : recordings).filter(explanationOf);
  if (!coloured.length) return "";
  const parts = coloured.filter((one) => explanationOf(one).part).map((one) => {
    const name = recordings.length > 1 ? `${one.ecg.file}: coloured` : "Coloured";
    return `${name} is ${explanationOf(one).part} of ${lengthOf(one.ecg)}, with the probability of that part; the model's answer is the mean over all of it.`;
  });
  return ["It shows what the answer rested on, not a cause.", ...parts].join(" ");
}

/**
 * Ask for what the form wants to see of these recordings. Rejects with the service's sentence.
 * @param {Recording[]} recordings
 * @param {string} token
 * @returns {Promise<boolean>} whether anything new is known
 */
export async function ask(recordings, token) {
  if (!field("explain").checked) return false;
  const [statement, method, key] = [field("statement").value, field("method").value, question()];
  const answers = (recording) => recording.answer.classes.some(({ name }) => name === statement);
  const asked = recordings.filter((one) => answers(one) && !known.get(one)?.has(key));
  for (const recording of asked) {
    const found = await explain(recording, statement, method, token);
    known.set(recording, (known.get(recording) ?? new Map()).set(key, found));
  }
  return asked.length > 0;
}
