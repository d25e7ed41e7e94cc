"""Public collections from their publishers: parallel, resumable, every checksum verified.

Nothing here knows what an ECG is: a collection is a list of files with checksums below one address.
"""

from ecgenough.fetching.collections import COLLECTIONS, Collection
from ecgenough.fetching.downloading import Patience
from ecgenough.fetching.fetching import fetch

__all__ = ["COLLECTIONS", "Collection", "Patience", "fetch"]
