"""The files of a corpus: which are read, in which order, and which are left out for what reason."""

import dataclasses
import hashlib
import os
import reprlib
import sysconfig
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ie_scaling.corpus import kinds, splits
from ie_scaling.corpus.config import CorpusConfig, InvalidText
from ie_scaling.corpus.kinds import FileKind, Form
from ie_scaling.errors import InputError

NOT_LIBRARY = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__", "lib2to3"})
# What is beside the tables of a data set and is no part of its text.
METADATA = frozenset({"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "_success"})
ABOUT = frozenset({"readme", "license", "licence", "copying", "notice", "citation", "changelog", "sha256sums"})
MARKED_ENDINGS = (".csv", ".tsv", ".html", ".htm", ".xml", ".rtf")  # text, but not only the text of documents
N_EXAMPLES = 3
HIDDEN, OWN, ABOUT_DATA = "hidden", "the corpus's own directory", "about the data set"
BINARY, NO_FILE, FOLDER_LINK = "binary", "no regular file", "a link to a folder"


@dataclasses.dataclass(frozen=True)
class Source:
    """A file to be read, its name in the corpus, and what it is."""

    path: Path
    name: str
    kind: FileKind


@dataclasses.dataclass(frozen=True)
class Sources:
    """The files of a corpus in order, and the names of those left out by reason."""

    files: tuple[Source, ...]
    left_out: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """JSON-ready: how many files of each form are read, how many are left out and why, with examples."""
        read = Counter(str(source.kind.form) for source in self.files)
        left_out = [
            {"reason": reason, "n_files": len(names), "examples": sorted(names)[:N_EXAMPLES]}
            for reason, names in sorted(self.left_out.items())
        ]
        return {"read": dict(sorted(read.items())), "left_out": left_out}

    def warnings(self, text: str) -> list[str]:
        """What is usable but suspicious: text files among tables, and what is there but is no file."""
        plain = [source.name for source in self.files if source.kind.form == Form.TEXT]
        warnings = []
        if 0 < len(plain) < len(self.files):
            kinds_read = " and ".join(f"{count:,} of {form}" for form, count in self.describe()["read"].items())
            warnings.append(f"text={text!r}: files of several kinds are read together ({kinds_read}, as {plain[0]!r})")
        if marked := [name for name in plain if name.lower().endswith(MARKED_ENDINGS)]:
            warnings.append(f"text={text!r}: {len(marked):,} read as plain text with all that is in it ({marked[0]!r})")
        for reason in (NO_FILE, FOLDER_LINK):
            if names := self.left_out.get(reason):
                warnings.append(f"text={text!r}: {len(names):,} left out, as each is {reason} ({sorted(names)[0]!r})")
        return warnings


def find(config: CorpusConfig) -> Sources:
    """The corpus's files in the order of a hash of their names, so that a cut by size takes from all.

    Raises:
      InputError: there is no such text, or a file of it is binary or damaged.
    """
    if config.text == "stdlib":
        root = Path(sysconfig.get_paths()["stdlib"])
        names = [name for name in _walk(root, Path(config.directory), {}, NOT_LIBRARY) if name.endswith(".py")]
        return Sources(
            tuple(Source(root / name, name, FileKind(Form.TEXT)) for name in sorted(names, key=splits.hash_of))
        )
    root = Path(config.text)
    if is_there(config.text) and root.is_dir():
        return _in_folder(root, config)
    if not (is_there(config.text) and root.is_file()):
        rule = 'must be "stdlib", a folder, or a file of text, JSON, Parquet or Arrow'
        absent = "" if is_there(config.text) else "; there is no such file"
        raise InputError(f"text={reprlib.repr(config.text)}: {rule}{absent}")
    return Sources((Source(root, root.name, kinds.recognize(root)),))


def is_there(text: str) -> bool:
    """Whether there is a text; nothing is where there can be nothing of this name."""
    try:
        return text == "stdlib" or Path(text).exists()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def stamps(text_sources: Sources) -> dict[str, Any]:
    """What shows cheaply whether the files are still the same: hashes of their names, sizes and times of change."""
    digest, n_bytes = hashlib.sha256(), 0
    for source in text_sources.files:
        with kinds.naming(source.path, "unreadable file"):
            stat = source.path.stat()
        n_bytes += stat.st_size
        digest.update(f"{source.name!r} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return {"n_files": len(text_sources.files), "n_bytes": n_bytes, "stamps_sha256": digest.hexdigest()}


def _in_folder(root: Path, config: CorpusConfig) -> Sources:
    left_out: dict[str, list[str]] = {}
    names = list(_walk(root, Path(config.directory), left_out))
    about = [name for name in names if _is_about(name)]
    if about and any(kinds.ending_form(name) for name in names if name not in about):
        left_out[ABOUT_DATA] = about
        names = [name for name in names if not _is_about(name)]
    files = []
    for name in sorted(names, key=splits.hash_of):
        try:
            files.append(Source(root / name, name, kinds.recognize(root / name)))
        except kinds.NotText:
            if config.binary_files == InvalidText.ERROR:
                raise
            left_out.setdefault(BINARY, []).append(name)
    return Sources(tuple(files), {reason: tuple(names) for reason, names in left_out.items()})


def _is_about(name: str) -> bool:
    """Whether a file beside tables tells of them, by its name."""
    last = Path(name).name.lower()
    return last in METADATA or last.split(".")[0] in ABOUT


def _walk(
    root: Path, own: Path, left_out: dict[str, list[str]], unwanted: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Names of files under `root`, relative to it; the others are added to `left_out`, but for `unwanted` folders."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: unreadable folder ({error.strerror})")

    own = own.resolve()
    for folder, subfolders, names in os.walk(root, onerror=refuse):
        here = Path(folder)
        for name in list(subfolders):
            reason = _reason_folder(here / name, own)
            if name in unwanted or reason:
                subfolders.remove(name)
            if reason and name not in unwanted:
                left_out.setdefault(reason, []).append((here / name).relative_to(root).as_posix() + "/")
        for name in names:
            path = (here / name).relative_to(root).as_posix()
            if name.startswith("."):
                left_out.setdefault(HIDDEN, []).append(path)
            elif not os.path.isfile(here / name):  # Path.is_file raises where a link may not be followed
                left_out.setdefault(NO_FILE, []).append(path)
            else:
                yield path


def _reason_folder(path: Path, own: Path) -> str | None:
    if path.name.startswith(".") or path.name == "__pycache__":
        return HIDDEN
    if path.is_symlink():
        return FOLDER_LINK
    return OWN if path.resolve() == own else None
