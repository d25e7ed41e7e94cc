// What can be taken away: the answer as JSON, the paper as a picture.

const DOTS = 10; // a millimetre, 254 dpi

/** Save text or a picture under a name. */
function save(/** @type {Blob} */ content, /** @type {string} */ name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const stem = (file) => file.replace(/\.[^.]*$/, "");

/** The answer and the measurements, without the samples. */
export function saveJson(/** @type {import("./service.js").Recording} */ { ecg, answer, model }) {
  const { microvolts: _, ...rest } = ecg;
  const content = { ...rest, model, classes: answer.classes, notes: answer.notes, error: answer.error,
    notice: "Research software, not a medical device." };
  save(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }), `${stem(ecg.file)}.json`);
}

/** The paper as it is shown, calipers included, in its light colours, 10 dots a millimetre. */
export async function savePng(/** @type {SVGSVGElement} */ drawing, /** @type {string} */ file) {
  const copy = drawing.cloneNode(true);
  const [wide, high] = [Number(copy.dataset.width) * DOTS, Number(copy.dataset.height) * DOTS];
  copy.removeAttribute("style");
  copy.setAttribute("width", String(wide));
  copy.setAttribute("height", String(high));
  const source = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }));
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [wide, high];
  canvas.getContext("2d").drawImage(image, 0, 0, wide, high);
  URL.revokeObjectURL(source);
  const picture = await new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
  save(picture, `${stem(file)}.png`);
}
