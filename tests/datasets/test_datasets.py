"""What the room offers by name."""

import subprocess
import sys

from ecgenough import datasets


def test_names_and_descriptions_agree() -> None:
    assert datasets.names() == ("ptb-xl", "cpsc-2018", "medalcare-xl", "simulated")
    assert tuple(description.name for description in datasets.describe()) == datasets.names()


def test_tasks_can_be_imported_where_pandas_and_wfdb_are_not_installed() -> None:
    blocked = "import sys; sys.modules.update(dict.fromkeys(('pandas', 'wfdb', 'pywt', 'pyarrow'))); "
    subprocess.run([sys.executable, "-c", blocked + "from ecgenough.datasets.table import Task"], check=True)
