"""`ecgenough study`."""

from typing import Annotated

import typer

from ecgenough.commands.arguments import Address, Device, On, Out, Stores, Track, on_ray
from ecgenough.commands.tables import print_table
from ecgenough.progress import say
from ecgenough.reports.study import write_study_report
from ecgenough.sentences import counted
from ecgenough.studies.engines import Engine, LocalProcesses, RayCluster
from ecgenough.studies.estimates import estimate
from ecgenough.studies.plan import Plan, described, plan_study
from ecgenough.studies.study import load_study
from ecgenough.studies.study_runs import failures, jobs_here, run_study
from ecgenough.studies.tracking import open_trackers


def study(
    name: Annotated[str, typer.Argument(metavar="STUDY", help="A shipped study, such as quick, or a YAML file.")],
    out: Out,
    on: On = "local",
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Cells at once; one a core, or one on a GPU, unless told.")
    ] = None,
    address: Address = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the cells and an estimate of the time.")] = False,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a study key: --set targets.pe.data=pe.csv.")
    ] = None,
    store: Stores = None,
    device: Device = "auto",
    track: Track = None,
) -> None:
    """Compare networks, preparations and ways of transfer on a small set of one's own; go on where it was stopped."""
    distributed = on_ray(on, address)
    chosen = load_study(name, changes or ())
    if dry_run:
        _print_plan(plan_study(chosen), jobs, device)
        return

    open_trackers(track or ())  # says now, rather than in each process, what is unknown or missing
    cluster = RayCluster(jobs, address) if distributed else None

    def engine(cells: int) -> Engine:
        return cluster or LocalProcesses(jobs or jobs_here(cells, device))

    summary = run_study(chosen, out, engine, device=device, stores=store, track=track or ())
    if len(summary.failed) < summary.cells:
        say(f"the report: {write_study_report(out)}")
    if summary.failed:
        raise failures(summary)
    typer.echo(f"{counted(summary.cells, 'cell')}: {out / 'cells.csv'}")


def _print_plan(plan: Plan, jobs: int | None, device: str) -> None:
    say(f"timing steps of the networks of {counted(len(plan.cells), 'cell')}")
    seconds = estimate(plan, device)
    rows = [
        (source.fingerprint, f"source {source.source}, {source.network}", f"{seconds[source.fingerprint]:,.0f}")
        for source in plan.pretrainings
    ]
    for cell in plan.cells:
        took = f"{seconds[cell.fingerprint]:,.0f}" if cell.fingerprint in seconds else ""
        rows.append((cell.fingerprint, described(cell), took))
    print_table(("cell", "what", "seconds"), rows)
    for note in plan.notes:
        typer.echo(note)
    at_once = jobs or jobs_here(len(plan.cells), device)
    typer.echo(
        f"{counted(len(plan.cells), 'cell')} and {counted(len(plan.pretrainings), 'source')}: about "
        f"{_time(sum(seconds.values()) / at_once)} with {at_once} at once. An estimate, from a few steps of each "
        "network timed on this machine just now; baselines, trees, stores and the report come on top."
    )


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
