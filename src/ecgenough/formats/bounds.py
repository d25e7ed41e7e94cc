"""How much of a file is believed: sizes are checked before memory is taken for them."""

from pathlib import Path

from ecgenough.errors import BrokenRecord

MOST_VALUES = 1 << 28  # of one recording: 1 GiB of float32; 12 leads at 500 Hz fill it in 12 hours
MOST_LEADS = 1024  # body surface maps have about 250
RATES = (1.0, 100_000.0)  # Hz; body surface and pacemaker recordings reach tens of thousands
MOST_BYTES = 1 << 28  # of a file that is read as a whole


def read_whole(place: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a file. Raises BrokenRecord where it is larger than `most` bytes or cannot be read."""
    try:
        with place.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise BrokenRecord(f"it cannot be read: {error.strerror or error}.") from None
    if len(content) > most:
        raise BrokenRecord(f"it is larger than {most >> 20:,} MiB, the most that is read of this format.")
    return content


def check_size(leads: int, samples: int) -> None:
    """Raise BrokenRecord for a recording of nothing, or of more than is read at once."""
    if leads < 1:
        raise BrokenRecord("it has no leads.")
    if samples < 1:
        raise BrokenRecord("it has no samples.")
    if leads > MOST_LEADS:
        raise BrokenRecord(f"it declares {leads:,} leads; at most {MOST_LEADS:,} are read.")
    if leads * samples > MOST_VALUES:
        raise BrokenRecord(
            f"it declares {samples:,} samples of {leads:,} leads; at most {MOST_VALUES:,} values are read at once."
        )


def check_rate(rate: float) -> None:
    """Raise BrokenRecord for a sampling rate that no ECG has."""
    if not RATES[0] <= rate <= RATES[1]:
        raise BrokenRecord(f"it has a sampling rate of {rate:g} Hz; {RATES[0]:g} to {RATES[1]:,.0f} Hz are believed.")
