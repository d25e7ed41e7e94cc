"""What a notebook asks for by short names: a model loaded, an ECG drawn."""

from pathlib import Path

from ecgenough import ensembles
from ecgenough.ecg import Ecg
from ecgenough.files import write_text
from ecgenough.model import Model
from ecgenough.reports.ecg_paper import Layout, draw_ecg


class Drawing(str):
    """An ECG on paper, as SVG: shown by a notebook where it is a cell's last value."""

    def _repr_svg_(self) -> str:
        return str(self)

    def save(self, path: str | Path) -> None:
        """Write the drawing to an .svg file."""
        write_text(Path(path), self)


def plot(ecg: Ecg, *, layout: Layout = "3x4+1") -> Drawing:
    """Draw an ECG on paper, 25 mm/s and 10 mm/mV; see `reports.draw_ecg`.

    >>> drawing = ecgenough.plot(ecgenough.read("ecgs/records100/00000/00001_lr.hea"))
    >>> drawing.save("ecg.svg")
    """
    return Drawing(draw_ecg(ecg.signal, ecg.rate, ecg.leads, layout=layout))


def load_model(folder: str | Path, device: str = "cpu") -> Model:
    """The model in a model's or a run's folder, ready for `predict(ecg)`; several, joined by +, answer as one.

    >>> model = ecgenough.load_model("runs/first")
    >>> model.classes
    ('NORM', 'MI', 'STTC', 'CD', 'HYP')
    """
    return ensembles.load(folder, device)
