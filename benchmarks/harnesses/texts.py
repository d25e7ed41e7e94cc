"""Settings and tables of records: recipes, studies, search spaces, changes, manifests, label tables, listings."""

import json
from collections.abc import Callable
from pathlib import Path

from benchmarks.harnesses.harness import Harness
from benchmarks.harnesses.readers import matlab
from benchmarks.samples import counts_of
from ecgenough import settings
from ecgenough.datasets import open_dataset
from ecgenough.ecg import Ecg
from ecgenough.fetching.listings import checksums, zenodo_files
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.recipe import load_recipe
from ecgenough.simulation import simulate_collection
from ecgenough.studies.search_space import load_space
from ecgenough.studies.study import load_study

NAMED = ("damaged", "record ", "patient", "class ")  # the file, or the key or record in it
BOMBS = (
    b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (c, c, c - 1, c - 1) for c in range(ord("b"), ord("w"))),
    b"signal: &a {rate: *a}\n",
    b"signal: &a [*a]\n",
    b"[" * 5000,
    b"{a: " * 5000,
    b"- " * 5000,
    b"seed: !!python/object/apply:os.system ['touch trap']\n",
    b"seed: !!python/name:os.system\n",
    b"seed: " + b"9" * 5000 + b"\n",
    b"seed: 0x" + b"f" * 5000 + b"\n",
    b"seed: 1e999999999\nsignal: {rate: .nan}\n",
    b"seed: 2026-99-99\n",
    b"? [a, b]\n: c\n",
    b"? {a: b}\n: c\n",
    b"<<: [{seed: 1}, {seed: 2}]\n",
    b"seed: 1\nseed: 2\n\xf0\x9f\x92\x93: 1\n",
)


def of_settings(folder: Path, name: str, kind: str) -> Harness:
    place = folder / "damaged.yaml"
    base = load_recipe("default")
    use: Callable[[], object] = {
        "recipes": lambda: load_recipe(str(place)).fingerprint(),
        "study_files": lambda: load_study(str(place)),
        "spaces": lambda: load_space(str(place), base),
    }[kind]
    seeds = [
        settings.files("ecgenough").joinpath(kind, f"{name}.yaml").read_bytes() for name in settings.shipped_names(kind)
    ]
    small = [seed for seed in seeds if len(seed) < 3000] or seeds[:1]
    named = ("damaged", "recipe ")  # a study names recipes that are files of their own
    return Harness(name, (*small[:6], *BOMBS), place.write_bytes, lambda: str(use())[:60], names=named)


def changes(_: Path) -> Harness:
    """What follows --set."""
    said: list[str] = []
    base = load_recipe("fast")

    def put(content: bytes) -> None:
        said[:] = [content.decode("utf-8", errors="replace")]

    seeds = (
        b"training.epochs=5", b"network.options={width: 4}", b"normalisation={kind: none}", b"signal.leads=[I, II]",
        b"network.name=vgg16", b"crop={seconds: 2.5, evaluation: mean, crops: 3}", b"seed=0x1F", b"optimizer.kind=sgd",
        *(b"seed=" + bomb.partition(b": ")[2] for bomb in BOMBS[1:]),
    )  # fmt: skip
    return Harness(
        "changes", seeds, put, lambda: base.with_changes(said).fingerprint(), names=("change", "key", "recipe")
    )


def manifest(folder: Path) -> Harness:
    place = records(folder)
    seeds = (
        b"path,patient,age,sex,fold,mi\na,1,61,F,1,1\nb,2,30,m,2,0\nc,3,,,3,1\n",
        b"file;subject;fold;label\na.hea;p1;1;AF\nb.hea;p2;2;MI\nc.hea;p3;3;AF\n",
        b"Record\tSplit\tNORM\tMI\na\ttrain\t1\t0\nb\ttest\t0\t1\nc\tvalidation\t1\t1\n",
        b"path,label\n../a,x\n/etc/passwd,y\n",
        b'path,"a\nb",nan\na,1,nan\nb,inf,1e400\n',
        b"\xef\xbb\xbfpath,m\xc3\xa9decin\na,0\nb,1\n",
    )
    return Harness("manifest", seeds, place.write_bytes, lambda: listed(str(place)), names=NAMED)


def sidecar(folder: Path) -> Harness:
    place = records(folder)
    place.write_bytes(b"path,patient,fold,mi\na,1,1,yes\nb,2,2,no\nc,3,3,yes\n")
    seeds = (
        b"labels: [mi]\ntask: heart\npositive: yes\n",
        b"layout: {rate: 500, unit: mV, leads: [I, II], orientation: samples-by-leads, skip_rows: 1}\nlabels: [mi]\n",
        *BOMBS,
    )
    put = (folder / "damaged.yaml").write_bytes
    return Harness("sidecar", seeds, put, lambda: listed(str(place)), names=NAMED)


def records(folder: Path) -> Path:
    for name in "abc":
        write_wfdb(folder, name, Ecg(counts_of(2, 50) * 1e-3, 500, ("I", "II")))
    return folder / "damaged.csv"


def listed(name: str, root: Path | None = None) -> str:
    found = open_dataset(name, root)
    tasks = {task: found.task(task).labels.shape for task in found.tasks}
    return f"{len(found.records)} records, {tasks}"


def ptbxl(folder: Path) -> Harness:
    simulate_collection(folder, "superclasses", 12, seed=1, rate=100)
    about = next(path for path in folder.iterdir() if path.suffix == ".json")
    about.unlink()  # it must pass for PTB-XL itself
    place = folder / "ptbxl_database.csv"
    whole = place.read_bytes()
    return Harness(
        "ptb-xl", (whole,), place.write_bytes, lambda: listed("ptb-xl", folder), names=("ptbxl_", str(folder), *NAMED)
    )


def cpsc(folder: Path) -> Harness:
    for number in range(1, 11):
        (folder / f"A00{number:02}.mat").write_bytes(matlab(False))
    place = folder / "REFERENCE.csv"
    rows = b"".join(b"A00%02d,%d,,\n" % (number, number % 9 + 1) for number in range(1, 11))
    seed = b"Recording,First_label,Second_label,Third_label\n" + rows
    return Harness(
        "cpsc-2018", (seed,), place.write_bytes, lambda: listed("cpsc-2018", folder), ("REFERENCE", str(folder), *NAMED)
    )


def listing(_: Path) -> Harness:
    """What a publisher's server says is there."""
    said: list[str] = []

    def put(content: bytes) -> None:
        said[:] = [content.decode("utf-8", errors="replace")]

    def use() -> str:
        return str(zenodo_files(said[0], "damaged") if said[0].startswith("{") else checksums(said[0], "damaged/"))[:60]

    digest = b"0123456789abcdef" * 4
    remote = {"key": "a/b.zip", "links": {"self": "https://x/y"}, "checksum": "md5:" + "0" * 32, "size": 3}
    seeds = (digest + b"  a/b.hea\n" + digest + b" *./c.dat\n", json.dumps({"files": [remote]}).encode())
    return Harness("listing", seeds, put, use, names=("damaged", "no address"))
