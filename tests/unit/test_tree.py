"""The tree tests itself: what stands in it, what must not, and who may load what."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = {
    ".py",
    ".lua",
    ".md",
    ".toml",
    ".txt",
    ".in",
    ".json",
    ".yaml",
    ".yml",
    ".sh",
    ".cfg",
    ".csv",
    ".html",
    ".css",
    "",
}
OURS = (
    "contracts",
    "detectors",
    "store",
    "worker",
    "controller",
    "glitchwatch",
    "benchmarks",
    "tests",
    "docs",
    ".ci",
)

# Escaped dots keep these from finding themselves.
REGISTRY_HOSTS = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)")
LOCAL_PATHS = re.compile(r"(?<![\w.])/(?:home|work|root|Users)/[\w.]+")


def sources() -> list[Path]:
    """Every text file that we wrote: the top level and our own folders."""
    files = [p for p in ROOT.iterdir() if p.is_file()]
    for name in OURS:
        files += (ROOT / name).rglob("*") if (ROOT / name).is_dir() else []
    return sorted(p for p in files if p.is_file() and p.suffix in TEXT and "__pycache__" not in p.parts)


def hits(pattern: re.Pattern[str]) -> list[str]:
    """`file:line: text` of every match in the tree."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in sources()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_the_tree_is_seen() -> None:
    seen = {str(p.relative_to(ROOT)) for p in sources()}
    assert {"README.md", "Makefile", "contracts/report.py", ".ci/run", "requirements.txt"} <= seen


def test_no_file_names_a_registry_host() -> None:
    assert hits(REGISTRY_HOSTS) == []


def test_no_file_holds_a_path_of_one_machine() -> None:
    assert hits(LOCAL_PATHS) == []


def test_the_searches_find_what_they_look_for() -> None:
    assert REGISTRY_HOSTS.search("https://" + "pypi" + ".org/simple")
    assert LOCAL_PATHS.search("see " + "/ho" + "me/anna/clip.mp4")
    assert not LOCAL_PATHS.search("glitchwatch/origin/home/x")


def test_the_licence_is_here_and_named() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_pin_has_a_hash_and_no_address(name: str) -> None:
    logical = (ROOT / name).read_text("utf-8").replace("\\\n", " ").splitlines()
    pins = [line for line in logical if line.strip()]
    assert len(pins) > 5
    assert [p for p in pins if not re.match(r"[a-z0-9._-]+==\S+ ", p) or "--hash=sha256:" not in p] == []


def test_what_runs_is_pinned_to_the_same_versions_for_users_and_for_developers() -> None:
    def versions(name: str) -> set[str]:
        return set(re.findall(r"^([\w.-]+==\S+)", (ROOT / name).read_text("utf-8"), re.MULTILINE))

    assert versions("requirements.txt") <= versions("requirements-dev.txt")


def test_every_dependency_of_the_project_is_pinned() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = set(
        re.findall(r"^([\w.-]+)==", (ROOT / "requirements-dev.txt").read_text("utf-8"), re.MULTILINE)
    )
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {re.split(r"[<>=!~\[; ]", w)[0] for w in wanted} <= pinned


def test_every_package_says_what_it_is() -> None:
    packages = [
        p
        for name in ("contracts", "detectors", "worker", "glitchwatch")
        for p in (ROOT / name).rglob("__init__.py")
    ]
    assert [str(p.relative_to(ROOT)) for p in packages if not p.read_text("utf-8").startswith('"""')] == []


def test_every_folder_with_python_in_it_is_a_package() -> None:
    folders = {
        p.parent
        for n in ("contracts", "detectors", "worker", "glitchwatch")
        for p in (ROOT / n).rglob("*.py")
    }
    assert [str(f.relative_to(ROOT)) for f in sorted(folders) if not (f / "__init__.py").is_file()] == []


def test_each_target_of_the_makefile_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY:(.*)$", text, re.MULTILINE)
    assert phony is not None
    explained = set(re.findall(r"^([a-z-]+):.*##", text, re.MULTILINE))
    assert set(phony[1].split()) == explained


def test_the_decision_records_are_numbered_without_gap_and_all_listed() -> None:
    records = sorted(p.name for p in (ROOT / "docs/adr").glob("[0-9]*.md"))
    index = (ROOT / "docs/adr/README.md").read_text("utf-8")
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    assert [name for name in records if f"({name})" not in index] == []


@pytest.mark.parametrize("module", ["glitchwatch.cli", "glitchwatch.catalogue_docs", "worker.pipeline"])
def test_checking_a_file_loads_no_store_and_no_web_framework(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'redis', 'rq', 'fastapi', 'uvicorn', 'boto3'}} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == "[]"
