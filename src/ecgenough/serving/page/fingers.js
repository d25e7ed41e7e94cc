// Two fingers zoom the paper; one scrolls it, as the browser does anyway.

const apart = ([one, other]) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);

/**
 * Zoom as two fingers on `element` spread or close.
 * @param {HTMLElement} element
 * @param {() => number} zoom  that there is
 * @param {(wanted: number) => void} magnify
 */
export function followFingers(element, zoom, magnify) {
  let before = null; // the fingers' distance and the zoom when the second one came down
  const begin = ({ touches }) => { before = touches.length === 2 ? { distance: apart(touches), zoom: zoom() } : null; };
  for (const name of ["touchstart", "touchend", "touchcancel"]) element.addEventListener(name, begin, { passive: true });
  element.addEventListener("touchmove", (event) => {
    if (!before) return;
    event.preventDefault();
    magnify(before.zoom * apart(event.touches) / before.distance);
  }, { passive: false });
}
