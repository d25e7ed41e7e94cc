"""From the heart's dipole to the twelve leads: Dower's lead field and what differs between chests."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import DERIVED_LEADS, STANDARD_LEADS
from ecgenough.simulation.draws import Draws, Floats

RECORDED_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")

# Rows: RECORDED_LEADS. Columns: Frank's X (to the left), Y (to the feet), Z (to the back).
# Dower, Machado & Osborne: On deriving the electrocardiogram from vectorcardiographic leads. Clin Cardiol 1980;3:87-95.
DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)


def _twelve_from_eight() -> Floats:
    mixing = np.zeros((len(STANDARD_LEADS), len(RECORDED_LEADS)))
    for row, lead in enumerate(STANDARD_LEADS):
        if lead in DERIVED_LEADS:
            mixing[row, :2] = DERIVED_LEADS[lead]
        else:
            mixing[row, RECORDED_LEADS.index(lead)] = 1.0
    return mixing


# Leads are this much larger in the normal ECGs of PTB-XL than Dower's field makes them from the dipole that fits best.
AS_IN_PTB_XL = np.array([1.25, 1.0, 0.92, 1.2, 1.12, 1.08, 1.0, 1.05])

TWELVE_FROM_EIGHT = _twelve_from_eight()


def lead_field(draws: Draws) -> Floats:
    """A lead field a patient, `[patients, 8, 3]`: Dower's, seen by electrodes that never sit exactly where they should.

    Chest electrodes slip along the ribs by a fifth of their spacing and between ribs (Schijvenaars 2008 reviews how far
    and what it does), and each chest conducts differently.
    """
    field = np.repeat((DOWER * AS_IN_PTB_XL[:, None])[None], len(draws), axis=0)
    along = draws.normal(0.0, 0.2, 6)[:, :, None]
    chest = field[0, 2:]
    neighbours = np.concatenate([chest[:1], chest, chest[-1:]])
    field[:, 2:] += along * (neighbours[2:] - neighbours[:-2]) / 2
    field[:, 2:, 1] += draws.normal(0.0, 0.08, 6)
    field[:, 2:] *= draws.around_one(0.14, 6)[:, :, None]
    field[:, :2] += draws.normal(0.0, 0.03, 2, 3)
    return field


def field_of(field: Floats, leads: tuple[str, ...]) -> Floats:
    """The rows of any of the twelve leads, `[patients, leads, 3]`."""
    rows = TWELVE_FROM_EIGHT[[STANDARD_LEADS.index(lead) for lead in leads]]
    return np.asarray(np.einsum("le,pex->plx", rows, field))


def twelve_leads(recorded: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """All twelve leads `[records, 12, samples]` from the eight `[records, 8, samples]`, by Einthoven and Goldberger."""
    records, _, samples = recorded.shape
    ecg = np.empty((records, len(STANDARD_LEADS), samples), dtype=np.float32)
    first, second = recorded[:, 0], recorded[:, 1]
    ecg[:, 0], ecg[:, 1] = first, second
    for row, lead in enumerate(STANDARD_LEADS):
        if lead in DERIVED_LEADS:
            of_one, of_two = (np.float32(weight) for weight in DERIVED_LEADS[lead])
            ecg[:, row] = of_one * first + of_two * second
    ecg[:, 6:] = recorded[:, 2:]
    return ecg
