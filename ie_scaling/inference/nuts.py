"""NUTS over any density: compiled while its starting point is still sought, chains vectorized in groups.

NUTS walks in x, where coordinates are y = origin + scale·x. Origin and scale are arguments of the compiled programs, so
that whoever must first fit something to know them loses no time: `compile_ahead` returns at once. `run` samples one
density by several chains; `run_many` samples many of one shape, such as the posteriors of simulated tables, each chain
its own.

The chains of a group are one program, which waits at every transition for the longest trajectory among them; groups
run side by side in threads. Two chains of one density cost little more than one; four would cost twice as much as two.
Letters: C chains, w of one group, S draws, Q coordinates.
"""

import concurrent.futures
import contextlib
import dataclasses
import math
import os
from collections.abc import Callable, Generator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer.hmc import hmc
from threadpoolctl import threadpool_limits

from ie_scaling.inference import numerics
from ie_scaling.inference.config import NutsConfig

CHUNK = 250  # transitions between reports of progress
MAX_TREE_DEPTH = 8
# Coordinates of the largest dense mass matrix. A chain's warm-up is too short to learn a larger one, and then, in
# jaxlib 0.10.2, the LAPACK calls of two threads can wait for each other forever (seen from 63 on).
MOST_DENSE = 40
SIDE_BY_SIDE = 2  # chains of one group, where they share a density
STATS = ("diverging", "n_steps", "acceptance_rate", "energy", "lp")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """What is sampled; sites and the rest are pytrees of arrays.

    Attributes:
      n_coordinates: Q.
      sites_of: sites from coordinates y_Q; its Jacobian determinant is constant.
      log_density: of sites.
      draw_rest: what is drawn from its conditional, by a key, given sites.
      learn_covariances: whether warm-up learns a dense mass matrix (of up to MOST_DENSE coordinates), or variances
        alone: enough, and twice as fast to learn, where the scale that `run` is given already has the covariances about
        right.
    """

    n_coordinates: int
    sites_of: Callable[[jax.Array], Any]
    log_density: Callable[[Any], jax.Array]
    draw_rest: Callable[[jax.Array, Any], Any] = lambda key, sites: None
    learn_covariances: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChainSchedule:
    """How each chain walks.

    Attributes:
      n_warmup, n_samples: transitions; both whole chunks.
      max_samples: how far draws may be doubled while they are not enough.
      target_accept: acceptance that warm-up tunes the step size to.
      chunk: transitions of one call of a compiled program, and between reports of progress.
      thin: one draw is recorded of so many; it divides a chunk. Statistics are of every transition.
    """

    n_warmup: int
    n_samples: int
    max_samples: int
    target_accept: float
    chunk: int
    max_tree_depth: int = MAX_TREE_DEPTH
    thin: int = 1

    @classmethod
    def of(cls, config: NutsConfig) -> "ChainSchedule":
        """The schedule of a posterior's chains."""
        return cls(
            n_warmup=config.n_warmup,
            n_samples=config.n_samples,
            max_samples=config.max_samples,
            target_accept=config.target_accept,
            chunk=math.gcd(config.n_warmup, config.n_samples, CHUNK),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampled:
    """Arrays [C, S, …]: sites, the rest, and the sampler's STATS by name."""

    sites: Any
    rest: Any
    stats: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Programs:
    """Compiled for the w chains of a group: `begin` them, `advance` them by a chunk, and `complete` its draws."""

    begin: Callable[..., Any]  # -> key, state
    advance: Callable[..., Any]  # state, frame -> state, sites, stats
    complete: Callable[..., Any]  # key, chunk's number, sites -> rest


Compiling = concurrent.futures.Future[Programs]


def compile_ahead(target: Target, config: NutsConfig) -> Compiling:
    """Compile in the background what `run` will need."""
    with_one_thread = concurrent.futures.ThreadPoolExecutor(1)
    compiling = with_one_thread.submit(_compile_shared, target, config)
    with_one_thread.shutdown(wait=False)
    return compiling


def run(
    compiling: Compiling,
    origin_Q: np.ndarray,
    scale_QQ: np.ndarray,
    config: NutsConfig,
    seed: int,
    enough: Callable[[Any], bool],
    on_progress: Callable[[int], None],
) -> Sampled:
    """Draw by several chains, from starts about the origin, once compiling is done.

    The number of draws is doubled until `enough` says so of the sites, up to `config.max_samples` a chain.
    `on_progress` gets the transitions of each chain since the last call.
    """
    programs, frame, width = compiling.result(), (None, origin_Q, scale_QQ), _width(config)
    groups = range(config.n_chains // width)
    x_GwQ = 0.5 * np.random.default_rng(seed).standard_normal((len(groups), width, len(origin_Q)))
    starts = [(seed, group, x_GwQ[group], frame) for group in groups]
    return _walk(programs, starts, [frame] * len(groups), ChainSchedule.of(config), enough, on_progress)


def run_many(
    target_of: Callable[[Any], Target],
    data: Any,
    origin_CQ: np.ndarray,
    scale_CQQ: np.ndarray,
    start_CQ: np.ndarray | None,
    seed: int,
    schedule: ChainSchedule,
    side_by_side: int,
    on_progress: Callable[[int], None],
) -> Sampled:
    """Draw from many densities of one shape by one chain each; nothing is drawn given the sites.

    Args:
      target_of: the target of one chain from its own part of `data`, a pytree of arrays with leading axis C.
      origin_CQ, scale_CQQ: of each chain's coordinates.
      start_CQ: where in x each chain starts; None starts all at their origins.
      side_by_side: chains of one group.
      on_progress: gets the transitions of each chain since the last call.
    """
    n_chains = len(origin_CQ)
    width = min(side_by_side, n_chains)
    groups = [np.arange(first, first + width) % n_chains for first in range(0, n_chains, width)]
    with _settings():
        keys_C = jax.random.split(jax.random.key(seed), n_chains)
        frame = jax.tree.map(jnp.asarray, (data, origin_CQ, scale_CQQ))
        starts = [
            jax.tree.map(lambda values, group=group: values[group], (keys_C, start_CQ, frame)) for group in groups
        ]
        begin, advance = _functions(target_of, schedule, frame_axis=0)
        programs = _compile(lambda *start: (None, begin(*start)), advance, lambda *_: None, starts[0])
    frames = [frame for _, _, frame in starts]
    draws = _walk(programs, starts, frames, schedule, lambda sites: True, on_progress)
    sites, stats = jax.tree.map(lambda values: values[:n_chains], (draws.sites, draws.stats))  # the last group wrapped
    return Sampled(sites=sites, rest=None, stats=stats)


def _walk(
    programs: Programs,
    starts: Sequence[tuple],
    frames: Sequence[Any],
    schedule: ChainSchedule,
    enough: Callable[[Any], bool],
    on_progress: Callable[[int], None],
) -> Sampled:
    """Warm up and draw, all groups in step; `starts` are what each begins from."""
    n_groups, chunk, thin = len(starts), schedule.chunk, schedule.thin

    def begin(start):
        with _settings():
            return programs.begin(*start)

    def advance(state, frame):
        with _settings():
            return jax.block_until_ready(programs.advance(state, frame)[0])

    def draw(key, state, frame, number):
        with _settings():
            state, sites, stats = programs.advance(state, frame)
            sites, rest, stats = jax.device_get((sites, programs.complete(key, number, sites), stats))
            return state, (jax.tree.map(lambda values: values[::thin], (sites, rest)), stats)

    # Every thread has a core's worth of work: factorizations on all cores from all threads take twice as long.
    n_threads = min(n_groups, os.cpu_count() or 1)
    with threadpool_limits(1, user_api="blas"), concurrent.futures.ThreadPoolExecutor(n_threads) as pool:
        keys, states = zip(*pool.map(begin, starts), strict=True)
        for _ in range(0, schedule.n_warmup, chunk):
            states = list(pool.map(advance, states, frames))
            on_progress(chunk)
        drawn, wanted = [], schedule.n_samples
        while True:
            while len(drawn) * chunk < wanted:
                states, parts = zip(*pool.map(draw, keys, states, frames, [len(drawn)] * n_groups), strict=True)
                drawn.append(jax.tree.map(lambda *groups: np.concatenate(groups, axis=1), *parts))
                on_progress(chunk)
            draws = _join(drawn)
            if wanted >= schedule.max_samples or enough(draws.sites):
                return draws
            wanted = min(2 * wanted, schedule.max_samples)


def _join(chunks: Sequence[Any]) -> Sampled:
    """Draws from chunks [S, C, …] of them."""
    (sites, rest), stats = jax.tree.map(lambda *parts: np.concatenate(parts).swapaxes(0, 1), *chunks)
    return Sampled(sites=sites, rest=rest, stats=dict(zip(STATS, stats, strict=True)))


def _width(config: NutsConfig) -> int:
    """Chains of one group."""
    return math.gcd(config.n_chains, SIDE_BY_SIDE)


@contextlib.contextmanager
def _settings() -> Generator[None]:
    """JAX's settings are a thread's own."""
    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        yield


def _compile_shared(target: Target, config: NutsConfig) -> Programs:
    """The programs of `run`, whose chains share one frame, and begin with keys of the seed and their group's number."""
    width, n = _width(config), target.n_coordinates
    target = dataclasses.replace(target, log_density=jax.jit(target.log_density))  # traced once for all
    schedule = ChainSchedule.of(config)
    begin_all, advance = _functions(lambda _: target, schedule, frame_axis=None)

    def begin(seed, group, x_wQ, frame):
        key, *keys_w = jax.random.split(jax.random.fold_in(jax.random.key(seed), group), 1 + width)
        return key, begin_all(jnp.stack(keys_w), x_wQ, frame)

    def complete(key, number, sites):
        keys = jax.random.split(jax.random.fold_in(key, number), (schedule.chunk, width))
        return jax.lax.map(lambda inputs: jax.vmap(target.draw_rest)(*inputs), (keys, sites))

    number, x_wQ = jax.ShapeDtypeStruct((), np.int64), jax.ShapeDtypeStruct((width, n), np.float64)
    frame = (None, jax.ShapeDtypeStruct((n,), np.float64), jax.ShapeDtypeStruct((n, n), np.float64))
    return _compile(begin, advance, complete, (number, number, x_wQ, frame))


def _compile(begin: Callable, advance: Callable, complete: Callable, start: tuple) -> Programs:
    """All three, the longest to compile first, each in a thread of its own while the next is traced.

    `start` is what `begin` will be called with, a frame last, or shapes of it.
    """
    once, often = numerics.RUN_ONCE_OPTIONS, numerics.COMPILER_OPTIONS
    number = jax.ShapeDtypeStruct((), np.int64)
    with _settings(), concurrent.futures.ThreadPoolExecutor(3) as pool:
        first = jax.jit(begin, compiler_options=once).trace(*start)
        key, state = first.out_info
        second = jax.jit(advance, compiler_options=often).lower(state, start[-1])
        advancing = pool.submit(second.compile)
        beginning = pool.submit(first.lower().compile)
        third = jax.jit(complete, compiler_options=often).lower(key, number, second.out_info[1])
        completing = pool.submit(third.compile)
        return Programs(beginning.result(), advancing.result(), completing.result())


def _is_dense(target: Target) -> bool:
    """Whether warm-up learns a dense mass matrix."""
    return target.learn_covariances and target.n_coordinates <= MOST_DENSE


def _functions(
    target_of: Callable[[Any], Target], schedule: ChainSchedule, frame_axis: int | None
) -> tuple[Callable, Callable]:
    """How chains begin and advance; a frame (data, origin, scale) is every chain's own, or shared (axis None)."""

    def sites_at(x_Q, frame):
        data, origin_Q, scale_QQ = frame
        return target_of(data).sites_of(origin_Q + scale_QQ @ x_Q)

    def potential_of(frame):
        return lambda x_Q: -target_of(frame[0]).log_density(sites_at(x_Q, frame))

    start, sample = hmc(potential_fn_gen=potential_of, algo="NUTS")  # class NUTS closes over one potential

    def begin_one(key, x_Q, frame):
        return start(
            jnp.zeros_like(frame[1]) if x_Q is None else x_Q,
            schedule.n_warmup,
            dense_mass=_is_dense(target_of(frame[0])),
            target_accept_prob=schedule.target_accept,
            max_tree_depth=schedule.max_tree_depth,
            model_args=(frame,),
            rng_key=key,
        )

    def begin(keys_w, x_wQ, frame):
        return jax.vmap(begin_one, in_axes=(0, 0, frame_axis))(keys_w, x_wQ, frame)

    def advance(state, frame):
        def step(state, _):
            state = jax.vmap(lambda state, frame: sample(state, (frame,), {}), in_axes=(0, frame_axis))(state, frame)
            sites = jax.vmap(sites_at, in_axes=(0, frame_axis))(state.z, frame)
            lp = -state.potential_energy
            return state, (sites, (state.diverging, state.num_steps, state.accept_prob, state.energy, lp))

        state, (sites, stats) = jax.lax.scan(step, state, length=schedule.chunk)
        return state, sites, stats

    return begin, advance
