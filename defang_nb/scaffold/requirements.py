"""Which distributions an app needs: what its imports belong to, in the versions that this Python has."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from defang_nb.errors import UsageError
from defang_nb.scaffold.code import Code, Import, imports, read_code

_KNOWN = {
    "attr": "attrs", "bs4": "beautifulsoup4", "Bio": "biopython", "cv2": "opencv-python-headless", "dateutil":
    "python-dateutil", "docx": "python-docx", "dotenv": "python-dotenv", "fitz": "pymupdf", "gi": "PyGObject",
    "google.genai": "google-genai", "google.generativeai": "google-generativeai", "jose": "python-jose", "jwt": "pyjwt",
    "magic": "python-magic", "mpl_toolkits": "matplotlib", "MySQLdb": "mysqlclient", "OpenSSL": "pyopenssl", "PIL":
    "pillow", "pkg_resources": "setuptools", "pptx": "python-pptx", "psycopg": "psycopg[binary]", "psycopg2":
    "psycopg2-binary", "serial": "pyserial", "skimage": "scikit-image", "sklearn": "scikit-learn", "slugify":
    "python-slugify", "umap": "umap-learn", "yaml": "pyyaml", "zmq": "pyzmq",
}  # fmt: skip
"""Modules whose distribution has another name."""

_SAME = frozenset({
    "altair", "anthropic", "bokeh", "boto3", "catboost", "celery", "dash", "datasets", "django", "duckdb", "fastapi",
    "flask", "gensim", "geopandas", "gradio", "gunicorn", "holoviews", "httpx", "hvplot", "ibis", "jinja2", "joblib",
    "keras", "langchain", "lightgbm", "matplotlib", "mlflow", "networkx", "nltk", "numpy", "openai", "openpyxl", "optuna",
    "pandas", "panel", "plotly", "polars", "prophet", "pyarrow", "pydantic", "pymongo", "pytorch_lightning", "redis",
    "requests", "rich", "scipy", "seaborn", "sentence_transformers", "shap", "spacy", "sqlalchemy", "statsmodels",
    "streamlit", "sympy", "tensorflow", "torch", "torchvision", "tqdm", "transformers", "uvicorn", "vega_datasets",
    "voila", "wordcloud", "xgboost",
})  # fmt: skip
"""Well-known modules whose distribution is called as they are. No others are guessed: a guess may install a stranger's code."""

_TEXT = re.compile(r"^\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*($|[<>=!~;@ ])")


@dataclass(frozen=True)
class Requirement:
    """A line of requirements.txt, and why it is there."""

    line: str
    why: str

    @property
    def name(self) -> str:
        return canonical(self.line)


@dataclass(frozen=True)
class Needs:
    """What the code needs besides itself: distributions, and modules that lie beside it (paths relative to the folder)."""

    requirements: tuple[Requirement, ...]
    modules: tuple[Path, ...]


def canonical(line: str) -> str:
    """A requirement's name as the package index compares it (PEP 503). Raises `UsageError` when it is none."""
    found = _TEXT.match(line)
    if not found:
        raise UsageError(f"{line!r} is no requirement", hint="for example: pandas, or 'pandas>=2.2'")
    return re.sub(r"[-_.]+", "-", found["name"]).lower()


def stated(texts: Iterable[str], folder: Path) -> list[Requirement]:
    """Requirements as a person gives them: files, or the requirements themselves, also several with commas between."""
    found: list[Requirement] = []
    for text in texts:
        file = folder / text
        if text.endswith(".txt") and not file.is_file():
            raise UsageError(f"there is no file {text}", hint=f"looked in {folder}")
        lines = file.read_text().splitlines() if file.is_file() else text.split(",")
        found += [Requirement(line.strip(), "as asked") for line in lines if line.strip() and not line.strip().startswith("#")]
    for each in found:
        if not each.line.startswith("-"):
            canonical(each.line)
    return found


def needs(codes: Sequence[Code], folder: Path, given: Sequence[Requirement]) -> Needs:
    """Raises `UsageError` at the first import that nothing is known of (unless requirements are `given`: they may hold it)."""
    found: dict[str, Requirement] = {}
    modules: dict[Path, None] = {}
    installed = metadata.packages_distributions()
    waiting = [(code, each) for code in codes for each in imports(code.tree)]
    while waiting:
        source, each = waiting.pop(0)
        root = each.module.partition(".")[0]
        if root in sys.stdlib_module_names or root == "__future__":
            continue
        if local := beside(root, folder):
            if local not in modules:
                modules[local] = None
                inner = [folder / local] if local.suffix else sorted((folder / local).rglob("*.py"))
                parsed = [read_code(path.read_text(), str(path.relative_to(folder))) for path in inner]
                waiting += [(other, one) for other in parsed for one in imports(other.tree)]
            continue
        if line := distribution(each.module, installed):
            found.setdefault(canonical(line), Requirement(line, f"import {root}"))
        elif not each.optional and not given:
            raise _unknown(source, each, root)
    return Needs(tuple(found.values()), tuple(modules))


def _unknown(code: Code, each: Import, root: str) -> UsageError:
    return code.problem(
        each.node,
        f"it isn't known which package the module {root} comes from",
        f"install it in this notebook's Python, or name what is needed: --requirements {root}",
    )


def beside(root: str, folder: Path) -> Path | None:
    """The module or package of that name in the app's folder."""
    if (folder / f"{root}.py").is_file():
        return Path(f"{root}.py")
    package = folder / root
    return Path(root) if package.is_dir() and any(package.glob("*.py")) else None


def distribution(module: str, installed: Mapping[str, Sequence[str]]) -> str | None:
    """The requirement that brings a module: of the version installed here, where it is, or any.

    `installed` is what `importlib.metadata.packages_distributions` gives. Where a module has several builds (`cv2`), it is the
    one that runs without a desktop.
    """
    root = module.partition(".")[0]
    for known, name in _KNOWN.items():
        if module == known or module.startswith(f"{known}."):
            return pinned(name)
    owners = [name for name in installed.get(root, ()) if name]
    if len(owners) > 1:
        # A namespace that several share, such as `google`: the longest that the module's name begins with.
        dotted = module.replace(".", "-").replace("_", "-").lower()
        owners = [each for each in owners if dotted.startswith(each.lower().replace("_", "-"))] or owners
    if owners:
        return pinned(canonical(max(owners, key=len)))
    return root.replace("_", "-") if root in _SAME else None


def pinned(name: str) -> str:
    """`name==version` as installed here; without the version where the index can't have it (a local or editable build)."""
    bare = name.partition("[")[0]
    try:
        found = metadata.distribution(bare)
    except metadata.PackageNotFoundError:
        return name
    if "+" in found.version or found.read_text("direct_url.json"):
        return name
    return f"{name}=={found.version}"


def merged(*groups: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Each distribution once, as the earliest group has it."""
    found: dict[str, Requirement] = {}
    for each in (each for group in groups for each in group):
        found.setdefault(each.line if each.line.startswith("-") else each.name, each)
    return tuple(found.values())
