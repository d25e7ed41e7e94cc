"""An explanation as files: drawn on ECG paper as SVG, PNG or a page, and as numbers."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ecgenough.errors import WrongRequest, nearest
from ecgenough.extras import needed
from ecgenough.files import write_text, written_aside
from ecgenough.reports.ecg_paper import AGAINST, FOR, draw_strips, side_by_side, strips_of
from ecgenough.sentences import numeral
from ecgenough.serving.explanation import Explanation, beat_average
from ecgenough.serving.pieces import PIECES, pieces_of

Floats = NDArray[np.float64]
SUFFIXES = (".svg", ".png", ".html", ".json", ".npz")
SMOOTHED = 0.02  # seconds, standard deviation: the eye follows waves, not samples
STRONGEST = 99.0  # percentile of the magnitudes that gets the full colour
DOTS_PER_MM = 8  # of a PNG, 203 dots an inch
COLUMNS = 6  # of average beats: limb leads above chest leads
_METHODS = {
    "integrated-gradients": "integrated gradients",
    "grad-cam": "Grad-CAM, the same for all leads",
    "occlusion": "loss without each wave of each lead",
}


def write_explanation(explanation: Explanation, out: Path) -> tuple[Path, ...]:
    """Write `out` as its suffix says and, beside a picture or a page, the numbers as .json and .npz; returns the files.

    Raises WrongRequest for another suffix, or a PNG without the extra `explain`.
    """
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise WrongRequest(f'an explanation cannot be written as "{out.suffix}". {nearest(suffix, SUFFIXES)}')
    match suffix:
        case ".svg":
            write_text(out, draw_explanation(explanation))
        case ".html":
            write_text(out, _page(explanation))
        case ".png":
            _write(out, as_png(draw_explanation(explanation)))
    beside = [out.with_suffix(kind) for kind in (".json", ".npz") if suffix in (".svg", ".png", ".html", kind)]
    for path in beside:
        if path.suffix == ".json":
            write_text(path, json.dumps(numbers(explanation), indent=2) + "\n")
        else:
            _write(path, _arrays(explanation))
    return tuple(dict.fromkeys([out, *beside]))


def draw_explanation(explanation: Explanation) -> str:
    """One `<svg>`: the ECG with its attribution as a colour along the trace and, below it, the average beat of each lead.

    Colours show the attribution smoothed over 20 ms, relative to its 99th percentile on this ECG; those of the average
    beats are relative to theirs.
    """
    ecg = explanation.ecg
    strips = strips_of(ecg.signal, ecg.rate, ecg.leads, shade=shade(explanation.attribution, ecg.rate))
    beat, beat_shade = beat_average(explanation, ecg.signal), beat_average(explanation, explanation.attribution)
    if beat is not None and beat_shade is not None:
        strips += side_by_side(beat, ecg.rate, ecg.leads, COLUMNS, shade(beat_shade, ecg.rate))
    return draw_strips(strips, ecg.rate, _legend(explanation))


def numbers(explanation: Explanation) -> dict[str, Any]:
    """Plain values for JSON: what was explained, and how much each lead and each wave speaks for it."""
    sums = explanation.method == "integrated-gradients"
    return {
        "method": explanation.method,
        "class": explanation.label,
        "title": explanation.title,
        "probability": explanation.probability,
        "logit": explanation.logit,
        "logit_of_silence": explanation.silence,
        "seconds": explanation.course.shape[1] / explanation.rate,
        "part": explanation.part or None,
        "rate": explanation.ecg.rate,
        "leads": list(explanation.ecg.leads),
        "sum": float(explanation.attribution.sum()) if sums else None,
        "lead_sums": _by_lead(explanation, explanation.attribution.sum(axis=1)) if sums else None,
        "wave_sums": _by_wave(explanation) if sums else None,
        "lead_losses": explanation.lead_losses or None,
        "wave_losses": explanation.wave_losses or None,
        "beats": [] if explanation.edges is None else explanation.edges.r.tolist(),
    }


def said_of_part(explanation: Explanation) -> str:
    """A sentence on an explanation that is of a part; else nothing."""
    if not explanation.part:
        return ""
    whole = f"{explanation.ecg.duration:.4g} s"
    return f"Explained is {explanation.part} of {whole}; the model's answer is the mean over windows of all of it."


def _by_lead(explanation: Explanation, values: Floats) -> dict[str, float]:
    return dict(zip(explanation.ecg.leads, values.tolist(), strict=True))


def _by_wave(explanation: Explanation) -> dict[str, float] | None:
    """What each wave of all leads adds to the sum; None where no beats were found."""
    if explanation.edges is None:
        return None
    number = pieces_of(explanation.edges, explanation.ecg.samples, explanation.ecg.rate)
    together = explanation.attribution.sum(axis=0)
    return {piece: float(together[number == place].sum()) for place, piece in enumerate(PIECES)}


def _arrays(explanation: Explanation) -> bytes:
    held: dict[str, Any] = {
        "attribution": explanation.attribution.astype(np.float32),
        "signal": explanation.ecg.signal,
        "rate": explanation.ecg.rate,
        "leads": np.array(explanation.ecg.leads),
    }
    beat = beat_average(explanation, explanation.attribution)
    if beat is not None:
        held |= {"beat_attribution": beat, "beat_signal": beat_average(explanation, explanation.ecg.signal)}
    written = io.BytesIO()
    np.savez_compressed(written, **held)
    return written.getvalue()


def shade(attribution: Floats, rate: float) -> Floats:
    """How strongly to colour each sample, -1 to 1: smoothed over 20 ms, relative to the 99th percentile."""
    smooth = gaussian_filter1d(attribution, SMOOTHED * rate, axis=1)
    strongest = float(np.percentile(np.abs(smooth), STRONGEST))
    return np.clip(smooth / strongest, -1, 1) if strongest > 0 else np.zeros_like(smooth)


def _legend(explanation: Explanation) -> str:
    """What the colours mean, right-aligned at the foot of the drawing."""
    against = "" if explanation.method == "grad-cam" else '\u2003<tspan fill="{1}">■</tspan> against'
    text = '<text text-anchor="end" font-size="2.8" fill="#5c5050">{2} {3:.2f}{4}; {5}\u2003<tspan fill="{0}">■</tspan> for'
    part = f" of {explanation.part}" if explanation.part else ""
    return str(
        Markup(text + against + "</text>").format(
            FOR, AGAINST, _named(explanation), explanation.probability, part, _METHODS[explanation.method]
        )
    )


def _named(explanation: Explanation) -> str:
    """The class with its name, where that says more."""
    label, title = explanation.label, explanation.title
    return label if title == label else f"{label}: {title}"


def as_png(svg: str) -> bytes:
    """A drawing in pixels, 203 dots an inch. Raises WrongRequest without the extra `explain`."""
    resvg = needed("resvg_py", "explain", "a PNG")
    # The renderer leaves out text whose font it does not find; with matplotlib comes one that is always there.
    folder = Path(needed("matplotlib", "explain", "a PNG").get_data_path()) / "fonts" / "ttf"
    fonts = [str(folder / name) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")]
    return bytes(
        resvg.svg_to_bytes(
            svg_string=svg,
            dpi=96,
            zoom=DOTS_PER_MM * 25.4 / 96,
            sans_serif_family="DejaVu Sans",
            font_files=fonts,
        )
    )


def _write(path: Path, content: bytes) -> None:
    with written_aside(path) as aside:
        aside.write_bytes(content)


def _page(explanation: Explanation) -> str:
    told = numbers(explanation)
    tables = [
        _table(caption, values)
        for caption, values in (
            ("Integrated gradients, sum over each lead (logits)", told["lead_sums"]),
            ("Integrated gradients, sum over each wave (logits)", told["wave_sums"]),
            ("Loss of logit without each lead", told["lead_losses"]),
            ("Loss of logit without each wave, all leads", told["wave_losses"]),
        )
        if values
    ]
    return str(
        Markup(
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            "<title>{label} explained</title><style>"
            "body{{font:1rem/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:72rem;padding:0 1rem}}"
            ".paper{{overflow-x:auto}}table{{border-collapse:collapse;margin:1rem 2rem 1rem 0;display:inline-table}}"
            "td,th{{padding:.15rem .8rem;text-align:right}}caption{{text-align:left;font-weight:600}}</style>"
            "<h1>{name}</h1><p>Probability {probability:.3f}, logit {logit}; an ECG of zeros has a logit of "
            "{silence}. Method: {method}. Orange speaks for the class, blue against it. An explanation tells what the "
            "network used, not whether that was right. {part} Research software, not a medical device.</p>"
            '<div class="paper">{drawing}</div>{tables}</html>'
        ).format(
            label=explanation.label,
            name=_named(explanation),
            part=said_of_part(explanation),
            probability=explanation.probability,
            logit=numeral(explanation.logit, ".3f"),
            silence=numeral(explanation.silence, ".3f"),
            method=_METHODS[explanation.method],
            drawing=Markup(draw_explanation(explanation)),
            tables=Markup("").join(tables),
        )
    )


def _table(caption: str, values: dict[str, float]) -> Markup:
    rows = Markup("").join(
        Markup("<tr><th scope=row>{}</th><td>{}</td></tr>").format(name, numeral(value, ".3f"))
        for name, value in values.items()
    )
    return Markup("<table><caption>{}</caption>{}</table>").format(caption, rows)
