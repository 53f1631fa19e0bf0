"""Whether two checkouts compute the same: small seeded jobs run in both, their files compared field by field.

  python benchmarks/compare_checkouts.py HEAD~5 HEAD
  python benchmarks/compare_checkouts.py safe16 . --jobs=corpus,sweep,least_squares --workdir=runs/compare_checkouts

LEFT and RIGHT are checkouts: the path of one, or a git revision of this repository, which is checked out by `git
worktree` in a temporary folder and removed again unless --keep. Each side runs its own run.py with --python, both at
once, on inputs copied from this repository's data/ and results/, so that a change of data is no change of results. A
job done for the same source is not repeated when started again with the same --workdir.

Cost: a quarter of an hour for all jobs on two cores that others use too (not measured on quiet ones), half of it
`contest`, `certify` and `reproduce`; `corpus`, `least_squares` and `rank` are quick. Prints one line for each
field that is not equal bit for bit (one a file for those on one side only) and writes comparison.csv.
Exit status: 0 nothing differs (equal, within 1e-9, or on one side only), 1 something differs, 2 bad arguments.

Expected differences:
- A column or field that was added is "left only" or "right only", which is listed and is no failure.
- A changed compiled program moves least squares by up to 1e-9 and starts other NUTS trajectories: posteriors,
  predictions from them, ranks, certificates and contests then differ by their Monte Carlo error, which for the short
  chains here is large. The draws are equal bit for bit where the program is the same on the same machine.
- Across the mending of silent errors (64fa528 to safe16): the quadrature of pooled effects, the rules of ties in
  ranking.csv and candidates.csv, medians at level new_run, the spread of measured latencies, and the wording of
  diagnostics differ by design.
- Not compared: environment.json, inputs.json (hashes of inputs, times in them), drawings, checkpoints, seconds, speed
  and memory of training, git revisions in reports.
"""

import argparse
import contextlib
import csv
import dataclasses
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import compare_files  # noqa: E402
from benchmarks.compare_files import DIFFERS, EQUAL, LEFT_ONLY, RIGHT_ONLY, Finding  # noqa: E402

INPUTS = ("data", "results/latency_study/draw_07.csv", "results/latency_study/draw_16.csv")
SOURCE = ("run.py", "configs", "experiments", "ie_scaling")  # what a job's results depend on
RPJ = "loss_split == 'c4_val' and notes.str.contains('train=rpj')"
MESSAGE = re.compile(r"warning: |error: |[\w.]+(Error|Exception): ")  # also the last line of a traceback
FIG7 = "fit_set.str.contains('fig7')"
SHORT_NUTS = {"nuts.n_chains": 2, "nuts.n_warmup": 200, "nuts.n_samples": 100, "nuts.max_samples": 100}


@dataclasses.dataclass(frozen=True)
class Job:
    """One call of run.py in a side's folder, into the work directory of the job's name, after the jobs it `needs`."""

    verb: str
    fields: dict[str, object]
    needs: tuple[str, ...] = ()
    strict: bool = False

    def arguments(self, name: str) -> list[str]:
        """The command line after --config."""
        fields = [f"--config.{field}={value}" for field, value in self.fields.items()]
        return [f"--workdir={name}", *fields, *(["--strict"] if self.strict else [])]


JOBS = {
    "corpus": Job("prepare_data", {"text": "text", "vocab_size": 300, "n_workers": 1}),
    "sweep": Job(
        "sweep",
        {
            "runs": "('d32-n2-h2-k1-c16-f64-v300@8192', 'd16-n3-h2-k1-c16-f64-v300@8192-s1')",
            "recipe.corpus.text": "text",
            "recipe.corpus.directory": "corpus_of_sweep",
            "recipe.corpus.vocab_size": 300,
            "recipe.sequence_length": 64,
            "recipe.batch_size": 8,
            "recipe.eval_tokens": 4096,
        },
    ),
    "least_squares": Job(
        "fit", {"runs": "data/bian2025.csv", "method": "least_squares", "n_starts": 16, "n_bootstrap": 50}
    ),
    "fit": Job(
        "fit",
        {
            "runs": "data/bian2025.csv",
            "where": FIG7,
            "holdout": "rest",
            "law": "effective",
            "n_starts": 16,
            "n_bootstrap": 50,
            **SHORT_NUTS,
        },
    ),
    "rank": Job("rank", {"fit": "fit"}, needs=("fit",)),
    "fit_latency": Job(
        "fit_latency",
        {
            "tables": "results/latency_study/draw_07.csv",
            "where": "series == 'training'",
            "holdout": "shape_index % 4 == 0",
            **SHORT_NUTS,
        },
    ),
    "predict_latency": Job("predict_latency", {"fit": "fit_latency"}, needs=("fit_latency",)),
    "select_timed": Job(
        "select",
        {
            "fit": "fit",
            "latency": "results/latency_study/draw_16.csv",
            "where": "series == '40M parameters'",
            "max_latency_ratio": 1.5,
            "n_tokens": 1e9,
        },
        needs=("fit",),
    ),
    "select_predicted": Job(
        "select",
        {"fit": "fit", "latency": "fit_latency", "grid.n_params": 5e7, "max_latency_ratio": 2, "n_tokens": 1e9},
        needs=("fit", "fit_latency"),
    ),
    "contest": Job(
        "compare",
        {
            "tables": "('data/bian2025.csv',)",
            "wheres": f'("{FIG7}",)',
            "laws": "('chinchilla',)",
            "published": "('chinchilla:alpha=beta',)",
            "n_folds": 2,
            "n_bootstrap": 50,
            **SHORT_NUTS,
        },
    ),
    "contest_of_laws": Job(
        "compare_laws",
        {
            "tables": "('data/bian2025.csv',)",
            "laws": "('chinchilla', 'effective')",
            "counts": "('total', 'effective')",
            "baseline": "chinchilla:free:total",
            "n_folds": 3,
            "n_repeats": 2,
            "n_starts": 8,
            "n_fold_starts": 2,
            "n_bootstrap": 100,
        },
    ),
    "certify": Job(
        "certify",
        {
            "runs": "data/gadre2024_models.csv",
            "where": RPJ,
            "law": "chinchilla",
            "n_tables": 20,
            "n_warmup": 50,
            "n_samples": 50,
        },
    ),
    "reproduce": Job("reproduce", {"data": "data"}, strict=True),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the jobs in both checkouts, compare, print and write the table; the exit status."""
    options = _parse(argv)
    workdir = Path(options.workdir).resolve()
    jobs = _with_needs(options.jobs)
    with contextlib.ExitStack() as stack:
        sides = {
            side: stack.enter_context(checkout(getattr(options, side), options.keep)) for side in ("left", "right")
        }
        threads = [
            threading.Thread(target=run_jobs, args=(path, workdir / side, jobs, options.python), daemon=True)
            for side, path in sides.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    findings = {name: _compare(name, workdir) for name in jobs}
    _write(workdir / "comparison.csv", findings)
    print(f"\nleft {options.left}, right {options.right}\n{as_table(findings)}")
    return int(any(finding.verdict == DIFFERS for found in findings.values() for finding in found))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("left", help="path or git revision")
    parser.add_argument("right", help="path or git revision")
    parser.add_argument("--jobs", default=",".join(JOBS), help="names with commas between them; all by default")
    parser.add_argument("--python", default=sys.executable, help="the Python that runs both sides")
    parser.add_argument("--workdir", default="runs/compare_checkouts", help="where results go")
    parser.add_argument("--keep", action="store_true", help="leave the temporary checkouts")
    options = parser.parse_args(argv)
    options.jobs = options.jobs.split(",")
    if unknown := [name for name in options.jobs if name not in JOBS]:
        parser.error(f"--jobs: {unknown[0]!r} must be one of {', '.join(JOBS)}")
    for side in ("left", "right"):
        if not is_checkout(Path(getattr(options, side))) and _revision(getattr(options, side)) is None:
            parser.error(f"{getattr(options, side)}: neither the path of a checkout nor a git revision")
    return options


def _with_needs(names: Sequence[str]) -> list[str]:
    """The jobs named and those they need, in the order of JOBS."""
    wanted = {*names, *(need for name in names for need in JOBS[name].needs)}
    return [name for name in JOBS if name in wanted]


def is_checkout(path: Path) -> bool:
    """Whether a path is a folder that holds this project."""
    return (path / "run.py").is_file()


def _revision(text: str) -> str | None:
    command = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or None


@contextlib.contextmanager
def checkout(text: str, keep: bool = False) -> Generator[Path]:
    """The checkout at a path, or a temporary one of a revision, removed at the end unless `keep`."""
    if is_checkout(Path(text)):
        yield Path(text).resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="checkout-")) / "tree"
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), str(_revision(text))], check=True)
    try:
        yield folder
    finally:
        if keep:
            print(f"{text}: {folder}")
        else:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)
            folder.parent.rmdir()


def run_jobs(path: Path, folder: Path, jobs: Sequence[str], python: str) -> None:
    """Run jobs with the code at `path`, each into its own directory below `folder`; those done before are kept."""
    _write_inputs(folder)
    source = hash_source(path)
    for number, name in enumerate(jobs, 1):
        arguments = JOBS[name].arguments(name)
        command = [python, str(path / "run.py"), f"--config={path}/configs/{JOBS[name].verb}.py", *arguments]
        record = {"source": source, "python": python, "arguments": arguments}
        done = folder / f"{name}.done.json"
        before = json.loads(done.read_text()) if done.is_file() else {}
        if {key: before.get(key) for key in record} == record:
            continue
        done.unlink(missing_ok=True)
        shutil.rmtree(folder / name, ignore_errors=True)
        started = time.monotonic()
        finished = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        (folder / f"{name}.log").write_text(finished.stdout + finished.stderr, encoding="utf-8")
        messages = [line for line in finished.stderr.splitlines() if MESSAGE.match(line)]
        outcome = {"exit_status": finished.returncode, "messages": messages}
        done.write_text(json.dumps(record | outcome, indent=2), encoding="utf-8")
        seconds = time.monotonic() - started
        print(f"{folder.name}: {name} {number}/{len(jobs)}, exit {finished.returncode}, {seconds:.0f} s", flush=True)


def hash_source(path: Path) -> str:
    """SHA-256 over the names and contents of the Python files that a job runs."""
    digest = hashlib.sha256()
    for top in SOURCE:
        for file in sorted((path / top).rglob("*.py")) or [path / top]:
            digest.update(f"{file.relative_to(path)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _write_inputs(folder: Path) -> None:
    """A made text, the public run tables and two latency tables, under the paths that the jobs name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in INPUTS:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
        else:
            shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    words = random.Random(0)
    vocabulary = ["".join(words.choices("etaoinshrdlu", k=words.randint(1, 8))) for _ in range(800)]
    weights = [1 / (rank + 1) for rank in range(len(vocabulary))]
    (folder / "text").mkdir(exist_ok=True)
    for number in range(40):
        lines = [" ".join(words.choices(vocabulary, weights, k=12)) for _ in range(120)]
        path = folder / "text" / f"{number:02d}.txt"
        path.write_text("\n".join(lines), encoding="utf-8")
        os.utime(path, (0, 0))  # a manifest holds the times of files


def _compare(name: str, workdir: Path) -> list[Finding]:
    sides = [workdir / side for side in ("left", "right")]
    left, right = (json.loads((side / f"{name}.done.json").read_text()) for side in sides)
    findings = []
    if max(left["exit_status"], right["exit_status"]) not in (0, 1):
        detail = f"{left['exit_status']} {left['messages']!r} against {right['exit_status']} {right['messages']!r}"
        return [Finding("(command)", "failed", DIFFERS, detail)]
    for field in ("exit_status", "messages"):
        same = left[field] == right[field]
        detail = "" if same else f"{left[field]!r} against {right[field]!r}"
        findings.append(Finding("(command)", field, EQUAL if same else DIFFERS, detail))
    return findings + compare_files.compare_folders(sides[0] / name, sides[1] / name)


def _write(path: Path, findings: dict[str, list[Finding]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["job", "file", "field", "verdict", "detail"])
        for job, found in findings.items():
            writer.writerows([job, *dataclasses.astuple(finding)] for finding in found)


def as_table(findings: dict[str, list[Finding]]) -> str:
    """Markdown: for each job how many fields are equal, and every field that is not."""
    lines = ["| job | file | field | verdict | detail |", "|---|---|---|---|---|"]
    for job, found in findings.items():
        n_equal = sum(finding.verdict == EQUAL for finding in found)
        lines.append(f"| {job} | | | {n_equal} of {len(found)} fields equal | |")
        for finding in _merge(found):
            cells = [job, finding.file, finding.field, finding.verdict, finding.detail]
            lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def _merge(found: Sequence[Finding]) -> list[Finding]:
    """What is not equal; the fields of a file that stand on one side only are one finding."""
    merged: dict[tuple[str, str, str], Finding] = {}
    for finding in found:
        alone = finding.verdict in (LEFT_ONLY, RIGHT_ONLY)
        key = finding.file, finding.verdict, "" if alone else finding.field
        if finding.verdict != EQUAL:
            before = merged.get(key)
            field = finding.field if before is None else f"{before.field}, {finding.field}"
            merged[key] = dataclasses.replace(finding, field=field)
    return list(merged.values())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # temporary checkouts are removed
    sys.exit(main())
