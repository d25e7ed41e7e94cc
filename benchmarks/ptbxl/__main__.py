"""Train a shipped model on PTB-XL, and put a trained one into the package with its card."""

import argparse
import shutil
from pathlib import Path

from benchmarks.ending import end_with_a_sentence
from benchmarks.ptbxl import beside, pages
from benchmarks.ptbxl.confirm import CHOICES, confirm
from benchmarks.ptbxl.figures import measured
from benchmarks.ptbxl.leaderboard import MEMBERS, write_leaderboard
from benchmarks.ptbxl.twins import compare_twins
from ecgenough import ensembles, shipped
from ecgenough.errors import WrongRequest
from ecgenough.files import write_text
from ecgenough.model import Model
from ecgenough.recipe import load_recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.stores import open_store

HERE = Path(__file__).parent
FOLD = 9
# Joined they answer best: a second network adds nothing to one beside the trees.
TOGETHER = ("ptbxl-base", "ptbxl-calipers")


def main() -> None:
    asked = _arguments()
    recipe = load_recipe(asked.name, getattr(asked, "set", ()))
    store = open_store("ptb-xl", asked.data, recipe.signal, folder=asked.store)
    if asked.what == "train":
        runs.train(store, recipe, asked.out, asked.device)
    elif asked.what == "leaderboard":
        table = HERE / "results" / "leaderboard.csv"
        write_leaderboard(store, recipe, asked.out, table, members=asked.members)
    elif asked.what == "confirm":
        table = HERE / "results" / "folds.csv"
        confirm(store, recipe, asked.out, table, choices=asked.choices, folds=asked.folds)
    elif asked.what == "beside":
        beside.compare(asked.name, asked.runs, store, FOLD, HERE / "results" / "beside.md")
    else:
        install(asked.name, asked.run, store, HERE, twins=(asked.twins, asked.data) if asked.twins else None)


def install(
    name: str, run: Path, store: Store, pages_folder: Path, *, fold: int = FOLD, twins: tuple[Path, Path] | None = None
) -> None:
    """Put the model of a run into the package as `name`, with its card, and write the table of all shipped models.

    `twins` are the folders of PTB-XL at 500 Hz and at 100 Hz, to compare what it says of both.
    """
    model = Model.load(run)
    if not model.is_joint:
        raise WrongRequest(f"{run} answers one task; a shipped model answers several. Train it by the recipe {name}.")
    place = shipped.FOLDER / name
    model.save(place)
    tasks, compared = measured(model, store, fold), compare_twins(model, *twins) if twins else None
    per_class = f"{name}-calibration.csv"
    where = f"benchmarks/ptbxl/results/{per_class}"
    write_text(place / "README.md", pages.card(name, model, tasks, fold, where, compared))
    write_text(pages_folder / "results" / per_class, pages.calibration_table(tasks))
    shutil.copyfile(run / "log.csv", pages_folder / "results" / f"{name}-log.csv")
    write_text(pages_folder / "README.md", pages.table(_macro_aucs(store, fold), fold))
    print(f"{name} is in {place}, its card beside it; {pages_folder / 'README.md'} has the table.")


def _macro_aucs(store: Store, fold: int) -> dict[str, dict[str, dict[str, float]]]:
    """Macro AUCs of each shipped model's tasks, and of `TOGETHER` as one, where all of them are there."""
    names = list(shipped.names())
    if set(TOGETHER) <= set(names):
        names.append(ensembles.JOINED.join(TOGETHER))
    found = {name: measured(ensembles.load(name), store, fold) for name in names}
    return {
        name: {task: answers.scores()["macro"]["auc"] for task, answers in tasks.items()}
        for name, tasks in found.items()
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ptbxl", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    train = commands.add_parser("train", help="train by the shipped recipe of that name")
    install_it = commands.add_parser("install", help="put a trained run into the package and write its card")
    board = commands.add_parser("leaderboard", help="an ensemble, and pupils taught by it: for a GPU")
    folds = commands.add_parser("confirm", help="whether the recipe's choices hold with each fold left out in turn")
    beside_it = commands.add_parser("beside", help="a model and runs of `ecgenough baseline`, alone and together")
    for command in (train, install_it, board, folds, beside_it):
        command.add_argument("name", help="ptbxl-base, say: the name of a shipped recipe")
        command.add_argument("--data", type=Path, required=True, help="the folder that holds PTB-XL")
        command.add_argument("--store", type=Path, help="where prepared stores are kept")
    for command in (train, board, folds):
        command.add_argument("--out", type=Path, required=True)
        command.add_argument("--set", nargs="*", default=[], help="recipe changes, such as training.epochs=5")
    board.add_argument("--members", nargs="*", default=[], choices=MEMBERS, help="of the ensemble; all unless named")
    folds.add_argument("--choices", nargs="*", default=[], choices=CHOICES, help="of the recipe; all unless named")
    folds.add_argument("--folds", nargs="*", type=int, default=[], help="to leave out; 1 to 9 unless named")
    beside_it.add_argument("runs", type=Path, nargs="+", help="folders that `ecgenough baseline` wrote, a task each")
    train.add_argument("--device", default="auto")
    install_it.add_argument("--twins", type=Path, help="a folder of PTB-XL with records500, to compare the rates")
    install_it.add_argument("run", type=Path, help="the folder that train wrote")
    return parser.parse_args()


if __name__ == "__main__":
    end_with_a_sentence(main)
