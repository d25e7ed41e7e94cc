"""Whatever is changed in settings, tables, models, stores and uploads of strangers: a value, or one sentence that names it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.guarded import Guard
from benchmarks.harnesses import OTHERS, READERS, Harness, harness
from benchmarks.samples import WRITERS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# The readers of WRITERS have tests/formats/test_damaged_files.py.
NAMES = (*(name for name in READERS if name not in WRITERS), *OTHERS)
SLOW = {"study": 5, "search-space": 5, "service": 10, "onnx": 10}  # examples; the others take 20
DAMAGE = st.tuples(
    st.floats(0, 1),  # where, as a part of the file
    st.integers(0, 40),  # how many bytes go
    st.one_of(
        st.binary(max_size=8),
        st.sampled_from(
            [b"1e999", b"nan", b"-1", b"99999999999999999999", b"[[", b"{}", b"null", b"../x", b"\n", b"*a", b"\xff"]
        ),
    ),
)


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Harness, Guard]]:
    """Each harness with its guard, made once."""
    folder = tmp_path_factory.mktemp("damaged")
    guard, made = Guard(folder), dict[str, Harness]()

    def make(name: str) -> tuple[Harness, Guard]:
        if name not in made:
            made[name] = harness(name, folder / name)
            made[name].run(made[name].seeds[0], guard)  # imports what it needs before it is watched
        return made[name], guard

    return make


@pytest.mark.parametrize("name", NAMES)
def test_damaged_input_is_used_or_refused_in_one_sentence(
    name: str, fed: Callable[[str], tuple[Harness, Guard]]
) -> None:
    one, guard = fed(name)

    @settings(max_examples=SLOW.get(name, 20), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.sampled_from(one.seeds), damages=st.lists(DAMAGE, min_size=1, max_size=3))
    def damage(seed: bytes, damages: list[tuple[float, int, bytes]]) -> None:
        for where, gone, new in damages:
            at = int(where**2 * len(seed))
            seed = seed[:at] + new + seed[at + gone :]
        outcome = one.run(seed, guard)
        assert outcome.kind in ("read", "refused"), outcome.what
        assert outcome.elsewhere == ()

    damage()


@pytest.mark.parametrize(
    "name", ["recipe", "model-card", "model-weights", "onnx", "manifest", "sidecar", "store-json", "service"]
)
def test_the_first_seed_is_sound(name: str, fed: Callable[[str], tuple[Harness, Guard]]) -> None:
    """Else every damage of it would be refused for what it was before."""
    one, guard = fed(name)
    assert any(one.run(seed, guard).kind == "read" for seed in one.seeds[:2])


def test_the_guard_sees_what_is_done_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").write_text("secret")
    guard = Guard(tmp_path / "in")
    assert guard.watch(lambda: (tmp_path / "out").read_text(), ()).elsewhere == (f"open {tmp_path / 'out'}",)
    assert guard.watch(lambda: str((tmp_path / "in" / "x").write_text("x")), ()).elsewhere == ()
    assert len(guard.watch(lambda: str((tmp_path / "made").mkdir()), (), writing=True).elsewhere) == 1
