"""How the beats of an ECG differ from their representative, and what the atria do between them."""

from itertools import pairwise

import numpy as np
from scipy.signal import butter, find_peaks, sosfiltfilt

from ecgenough.signals.delineation import RATE, Floats, samples_in, shift_onto, smoothed
from ecgenough.signals.measured_beat import SMALL, MeasuredBeat, ms

WAVES = ("p", "qrs", "t")
VARIES = ("deviation", "deviation_most", "deviation_share", "likeness", "likeness_least", "unlike")
ODD = ("odd_size", "odd_width", "odd_before", "odd_after")
BETWEEN = ("waves_between", "waves_between_most", "waves_between_spread")
ATRIAL = ("residue", "residue_peak", "residue_tuned", "residue_slow", "between_qrs")
ATRIAL_LEADS = ("II", "V1")  # in which the atria are seen best
# Hz: flutter and fibrillation, and their first harmonic
ATRIAL_BAND = butter(2, [3, 20], "bandpass", fs=RATE, output="sos")
NEAR_QRS = 0.12  # s either side of R that are left out of what lies between QRS complexes
LIKE = 0.8  # correlation with the representative wave below which a wave is unlike it


class EachBeat:
    """The beats themselves beside the representative one."""

    def __init__(self, measured: MeasuredBeat) -> None:
        beat, signal = measured.beat, measured.signal
        self.measured, self.centre, self.length = measured, beat.centre, beat.signal.shape[1]
        self.margin = self.centre + self.length
        self.padded = np.pad(signal, ((0, 0), (self.margin, self.margin)), mode="edge")
        moved = [shift_onto(self.padded, int(peak) + self.margin, beat.signal, self.centre) for peak in measured.peaks]
        self.r = measured.peaks + np.array(moved)
        starts = self.r - self.centre
        whole = (starts >= -5) & (starts + self.length <= signal.shape[1] + 5)  # but for 10 ms
        self.inner = np.flatnonzero(whole)

    def varying(self) -> dict[str, float]:
        """How far each wave of each beat is from the representative one, and the beat that is farthest."""
        if len(self.inner) < 2:
            return {}
        shape, beat = self.measured.beat.signal, self.measured.beat
        starts = self.r[self.inner] - self.centre + self.margin
        beats = np.stack([self.padded[:, start : start + self.length] for start in starts])
        t = min(beat.offset + samples_in(0.06), self.length - 2)
        stretches = (
            slice(max(0, beat.onset - samples_in(0.22)), beat.onset),
            slice(beat.onset, beat.offset + 1),
            slice(t, None),
        )
        found: dict[str, float] = {}
        for wave, stretch in zip(WAVES, stretches, strict=True):
            if shape[:, stretch].shape[1]:
                figures = _likeness(beats[:, :, stretch], shape[:, stretch])
                found |= {f"{wave}_{what}": value for what, value in zip(VARIES, figures, strict=True)}
        near = slice(max(0, self.centre - samples_in(0.12)), self.centre + samples_in(0.12))
        far = np.sqrt(((beats - shape)[:, :, near] ** 2).mean(axis=(1, 2)))
        return found | self._odd(int(far.argmax()), float(far.max()), beats)

    def _odd(self, which: int, far: float, beats: Floats) -> dict[str, float]:
        near = slice(max(0, self.centre - samples_in(0.2)), self.centre + samples_in(0.2))
        speed = np.linalg.norm(np.diff(beats[which]), axis=0)[near]
        rr, place = np.diff(self.r), int(self.inner[which])
        usual = float(np.median(rr))
        return {
            "odd_size": far / (self.measured.size + 1e-6),
            "odd_width": ms(float((speed > 0.15 * speed.max()).sum())),
            "odd_before": float(rr[place - 1]) / usual if place else np.nan,
            "odd_after": float(rr[place]) / usual if place < len(rr) else np.nan,
        }

    def between(self) -> dict[str, float]:
        """Waves from the end of one QRS complex to the next: T and P, more of them in flutter and AV block."""
        beat = self.measured.beat
        height = smoothed(np.linalg.norm(self.measured.signal, axis=0), 0.03)
        after = beat.offset - beat.centre + samples_in(0.06)
        stretches = [height[one + after : other - self.measured.before_r - 4] for one, other in pairwise(self.r)]
        counts = [
            len(find_peaks(line, prominence=SMALL * self.measured.size)[0]) for line in stretches if len(line) > 20
        ]
        if not counts:
            return {}
        return {
            "waves_between": float(np.median(counts)),
            "waves_between_most": float(max(counts)),
            "waves_between_spread": float(np.std(counts)),
        }

    def atrial(self) -> dict[str, float]:
        """What is left when the representative beat is taken from each beat, and what lies between QRS complexes."""
        signal, leads = self.measured.signal, self.measured.leads
        rest, quiet = self._rest(), np.ones(signal.shape[1], dtype=bool)
        for r in self.r:
            quiet[max(0, r - samples_in(NEAR_QRS)) : max(0, r + samples_in(NEAR_QRS))] = False
        found: dict[str, float] = {}
        for lead in set(ATRIAL_LEADS).intersection(leads):
            own = leads.index(lead)
            figures = (*_spectrum(sosfiltfilt(ATRIAL_BAND, rest[own])), np.nan)
            if quiet.any():
                figures = (*figures[:-1], rms(sosfiltfilt(ATRIAL_BAND, signal[own])[quiet]))
            found |= {f"{what}_{lead}": value for what, value in zip(ATRIAL, figures, strict=True)}
        return found

    def _rest(self) -> Floats:
        rest, shape = self.measured.signal.copy(), self.measured.beat.signal
        starts = self.r - self.centre
        ends = np.minimum(starts + self.length, np.append(starts[1:], rest.shape[1]))
        for start, end in zip(starts, ends, strict=True):
            first, last = max(0, start), max(0, end)
            rest[:, first:last] -= shape[:, first - start : last - start]
        return rest


def _likeness(beats: Floats, shape: Floats) -> tuple[float, ...]:
    """VARIES of one wave of each beat `[beats, leads, samples]`, without its level, beside that of the representative."""
    beats = beats - beats.mean(axis=2, keepdims=True)
    shape = shape - shape.mean(axis=1, keepdims=True)
    far = np.sqrt(((beats - shape) ** 2).mean(axis=(1, 2)))
    alike = (beats * shape).sum(axis=(1, 2)) / np.sqrt((beats**2).sum(axis=(1, 2)) * (shape**2).sum() + 1e-9)
    usual = float(np.median(far))
    share = usual / (rms(shape) + 1e-3)
    return usual, float(far.max()), share, float(np.median(alike)), float(alike.min()), float((alike < LIKE).mean())


def _spectrum(line: Floats) -> tuple[float, float, float, float]:
    """How much there is (mV), at which rate between 3 and 12 Hz most, the share within 0.5 Hz of it, and below 7 Hz."""
    size = 1 << max(13, (len(line) - 1).bit_length())
    power = np.abs(np.fft.rfft(line * np.hanning(len(line)), size)) ** 2
    rate = np.fft.rfftfreq(size, 1 / RATE)
    band = (rate >= 3) & (rate <= 12)
    power, rate = power[band], rate[band]
    most, total = rate[power.argmax()], power.sum() + 1e-12
    return (
        rms(line),
        float(most),
        float(power[np.abs(rate - most) < 0.5].sum() / total),
        float(power[rate < 7].sum() / total),
    )


def rms(line: Floats) -> float:
    """Root of the mean square."""
    return float(np.sqrt((line**2).mean()))
