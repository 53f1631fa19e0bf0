"""NUTS over any density: compiled while its starting point is still sought, chains in pairs.

NUTS walks in x, where coordinates are y = origin + scale·x. Origin and scale are arguments of the compiled programs, so
that whoever must first fit something to know them loses no time: `compile_ahead` returns at once. Two chains are
vectorised, for they cost little more than one; four would cost twice as much as two and wait for the longest trajectory
of four, so pairs run side by side in threads. Letters: C chains, w of one thread, S draws, Q coordinates.
"""

import concurrent.futures
import contextlib
import dataclasses
import math
from collections.abc import Callable, Generator
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
SIDE_BY_SIDE = 2  # chains of one thread
STATS = ("diverging", "n_steps", "acceptance_rate", "energy", "lp")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """What is sampled; sites and the rest are pytrees of arrays.

    Attributes:
      n_coordinates: Q.
      sites_of: sites from coordinates y_Q; its Jacobian determinant is constant.
      log_density: of sites.
      draw_rest: what is drawn from its conditional, by a key, given sites.
      learn_covariances: whether warm-up learns a dense mass matrix, or variances alone: enough, and twice as fast to
        learn, where the scale that `run` is given already has the covariances about right.
    """

    n_coordinates: int
    sites_of: Callable[[jax.Array], Any]
    log_density: Callable[[Any], jax.Array]
    draw_rest: Callable[[jax.Array, Any], Any]
    learn_covariances: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draws:
    """Arrays [C, S, …]: sites, the rest, and the sampler's STATS by name."""

    sites: Any
    rest: Any
    stats: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Programs:
    """Compiled for w chains: `begin` them, `advance` them by a chunk, and `complete` its draws."""

    begin: Callable[..., Any]  # seed, thread, x_wQ, frame -> key, state
    advance: Callable[..., Any]  # state, frame -> state, sites, stats
    complete: Callable[..., Any]  # key, chunk's number, sites -> rest


Compiling = concurrent.futures.Future[Programs]


def compile_ahead(target: Target, config: NutsConfig) -> Compiling:
    """Compile in the background what `run` will need."""
    with_one_thread = concurrent.futures.ThreadPoolExecutor(1)
    compiling = with_one_thread.submit(_compile, target, config)
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
) -> Draws:
    """Draw, from starts about the origin, once compiling is done.

    The number of draws is doubled until `enough` says so of the sites, up to `config.max_samples` a chain.
    `on_progress` gets the transitions of each chain since the last call.
    """
    programs, frame = compiling.result(), (origin_Q, scale_QQ)
    width, chunk = _sizes(config)
    threads = range(config.n_chains // width)
    x_TwQ = 0.5 * np.random.default_rng(seed).standard_normal((len(threads), width, len(origin_Q)))

    def begin(thread):
        with _settings():
            return programs.begin(seed, thread, x_TwQ[thread], frame)

    def advance(state):
        with _settings():
            return jax.block_until_ready(programs.advance(state, frame)[0])

    def draw(key, state, number):
        with _settings():
            state, sites, stats = programs.advance(state, frame)
            return state, jax.device_get((sites, programs.complete(key, number, sites), stats))

    # Every thread has a core's worth of work: factorisations on both cores from both threads take twice as long.
    with threadpool_limits(1, user_api="blas"), concurrent.futures.ThreadPoolExecutor(len(threads)) as pool:
        keys, states = zip(*pool.map(begin, threads), strict=True)
        for _ in range(0, config.n_warmup, chunk):
            states = list(pool.map(advance, states))
            on_progress(chunk)
        drawn, wanted = [], config.n_samples
        while True:
            while len(drawn) * chunk < wanted:
                states, parts = zip(*pool.map(draw, keys, states, [len(drawn)] * len(threads)), strict=True)
                drawn.append(jax.tree.map(lambda *each: np.concatenate(each, axis=1), *parts))
                on_progress(chunk)
            sites, rest, stats = jax.tree.map(lambda *each: np.concatenate(each).swapaxes(0, 1), *drawn)
            if wanted >= config.max_samples or enough(sites):
                return Draws(sites=sites, rest=rest, stats=dict(zip(STATS, stats, strict=True)))
            wanted = min(2 * wanted, config.max_samples)


def _sizes(config: NutsConfig) -> tuple[int, int]:
    """Chains of one thread, and transitions of one chunk."""
    return math.gcd(config.n_chains, SIDE_BY_SIDE), math.gcd(config.n_warmup, config.n_samples, CHUNK)


@contextlib.contextmanager
def _settings() -> Generator[None]:
    """JAX's settings are a thread's own."""
    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        yield


def _compile(target: Target, config: NutsConfig) -> Programs:
    """All three, the longest to compile first, each in a thread of its own while the next is traced."""
    width, n = _sizes(config)[0], target.n_coordinates
    begin, advance, complete = _functions(target, config)
    number, x_wQ = jax.ShapeDtypeStruct((), np.int64), jax.ShapeDtypeStruct((width, n), np.float64)
    frame = (jax.ShapeDtypeStruct((n,), np.float64), jax.ShapeDtypeStruct((n, n), np.float64))
    once, often = numerics.RUN_ONCE_OPTIONS, numerics.COMPILER_OPTIONS
    with _settings(), concurrent.futures.ThreadPoolExecutor(3) as pool:
        first = jax.jit(begin, compiler_options=once).trace(number, number, x_wQ, frame)
        key, state = first.out_info
        second = jax.jit(advance, compiler_options=often).lower(state, frame)
        advancing = pool.submit(second.compile)
        beginning = pool.submit(first.lower().compile)
        third = jax.jit(complete, compiler_options=often).lower(key, number, second.out_info[1])
        completing = pool.submit(third.compile)
        return Programs(beginning.result(), advancing.result(), completing.result())


def _functions(target: Target, config: NutsConfig) -> tuple[Callable, Callable, Callable]:
    """What `Programs` are compiled from."""
    width, chunk = _sizes(config)
    log_density = jax.jit(target.log_density)  # traced once for all

    def place(x_Q, frame):
        origin_Q, scale_QQ = frame
        return target.sites_of(origin_Q + scale_QQ @ x_Q)

    def potential_of(frame):
        return lambda x_Q: -log_density(place(x_Q, frame))

    start, sample = hmc(potential_fn_gen=potential_of, algo="NUTS")  # class NUTS closes over one potential

    def begin(seed, thread, x_wQ, frame):
        key, *keys_w = jax.random.split(jax.random.fold_in(jax.random.key(seed), thread), 1 + width)

        def begin_one(key, x_Q):
            return start(
                x_Q,
                config.n_warmup,
                dense_mass=target.learn_covariances,
                target_accept_prob=config.target_accept,
                max_tree_depth=MAX_TREE_DEPTH,
                model_args=(frame,),
                rng_key=key,
            )

        return key, jax.vmap(begin_one)(jnp.stack(keys_w), x_wQ)

    def advance(state, frame):
        def step(state, _):
            state = jax.vmap(lambda one: sample(one, (frame,), {}))(state)
            sites = jax.vmap(lambda x_Q: place(x_Q, frame))(state.z)
            lp = -state.potential_energy
            return state, (sites, (state.diverging, state.num_steps, state.accept_prob, state.energy, lp))

        state, (sites, stats) = jax.lax.scan(step, state, length=chunk)
        return state, sites, stats

    def complete(key, number, sites):
        keys = jax.random.split(jax.random.fold_in(key, number), (chunk, width))
        return jax.lax.map(lambda inputs: jax.vmap(target.draw_rest)(*inputs), (keys, sites))

    return begin, advance, complete
