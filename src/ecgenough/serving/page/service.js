// What the page asks of the service that it came from.

/**
 * @typedef {{name: string, title: string, probability: number, threshold: number, call: boolean}} Statement
 * @typedef {{file: string, classes: Statement[], notes: string[], error: string | null}} Answer
 * @typedef {{file: string, rate: number, leads: string[], microvolts: (number | null)[][], age: number | null,
 *            sex: string | null, recorded: string | null, measurements: Record<string, number | null>,
 *            beats: number[]}} Ecg
 * @typedef {{ecg: Ecg, answer: Answer, model: string, methods: string[], files: File[],
 *            table: Record<string, string>}} Recording  `methods` are those that the model's answers are explained by
 * @typedef {{method: string, title: string, probability: number, part: string | null, rate: number, leads: string[],
 *            shade: number[][]}} Explanation  `part` is null where the whole recording is explained
 */

/** Seconds of a recording. */
export const duration = (/** @type {Ecg} */ ecg) => ecg.microvolts[0].length / ecg.rate;

/** A sentence to show. */
export class Complaint extends Error {
  constructor(/** @type {string} */ sentence, status = 0) {
    super(sentence);
    this.status = status;
  }
}

/**
 * Files that belong together: a WFDB header with its samples, else each file alone.
 * @param {File[]} files
 * @returns {File[][]}
 */
export function grouped(files) {
  const stem = (file) => file.name.replace(/\.[^.]*$/, "");
  const headers = files.filter((file) => file.name.endsWith(".hea"));
  const samples = (file) => /\.(dat|mat)$/.test(file.name);
  if (headers.length === 1) {
    const record = files.filter((file) => file === headers[0] || samples(file));
    return [record, ...files.filter((file) => !record.includes(file)).map((file) => [file])];
  }
  const owned = new Set();
  const records = headers.map((header) => {
    const own = files.filter((file) => samples(file) && stem(file) === stem(header));
    own.forEach((file) => owned.add(file));
    return [header, ...own];
  });
  return [...records, ...files.filter((file) => !headers.includes(file) && !owned.has(file)).map((file) => [file])];
}

/**
 * One recording: as it was read, and what the model says of it.
 * @param {File[]} files
 * @param {Record<string, string>} table  how to read a table of numbers
 * @param {string} token
 * @returns {Promise<Recording>}
 */
export async function read(files, table, token) {
  const ecg = await asked("/v1/ecg", files, table, token);
  const { explains } = await told("/v1/model", { headers: keyed(token) });
  const said = await asked("/v1/predict", files, table, token).catch((error) => {
    if (error.status !== 422) throw error; // an ECG that the model cannot use is shown nevertheless
    return { model: "", records: [{ file: ecg.file, classes: [], notes: [], error: error.message }] };
  });
  return { ecg, answer: said.records[0], model: said.model, methods: explains, files, table };
}

/**
 * How much each sample of a recording speaks for a statement.
 * @param {Recording} recording
 * @param {string} statement
 * @param {string} method
 * @param {string} token
 * @returns {Promise<Explanation>}
 */
export function explain({ files, table }, statement, method, token) {
  return asked("/v1/explain", files, { ...table, class: statement, method }, token);
}

/** The simulated ECG that the service ships. */
export async function example() {
  const answer = await reached("page/example.npz", {});
  if (!answer.ok) throw new Complaint("The example cannot be had from the service.");
  return [new File([await answer.blob()], "simulated.npz")];
}

async function asked(route, files, table, token) {
  const body = new FormData();
  for (const file of files) body.append("files", file, file.name);
  for (const [key, value] of Object.entries(table)) if (value) body.append(key, value);
  return told(route, { method: "POST", body, headers: keyed(token) });
}

const keyed = (token) => token ? { authorization: `Bearer ${token}` } : {};

async function told(route, options) {
  const answer = await reached(route.slice(1), options);
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Complaint(content.detail ?? `The service answered ${answer.status}.`, answer.status);
  return content;
}

async function reached(address, options) {
  try {
    return await fetch(address, options);
  } catch {
    throw new Complaint("The service cannot be reached, or a file changed while it was read. Is it still running?");
  }
}
