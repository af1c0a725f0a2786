"""The project's jobs. `nox -s demo` and `nox -s tests` need Python 3.11 or newer, pip and nox."""

import json
import shutil
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

# Run the tests on the interpreters that are installed, and skip the others: without these two
# lines, a missing interpreter is an error where CI=true, or nox downloads one.
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"
nox.options.sessions = ["lint", "tests"]

PYPROJECT = nox.project.load_toml(Path(__file__).with_name("pyproject.toml"))
PYTHONS = nox.project.python_versions(PYPROJECT)
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
if sys.version_info >= (3, 11) and RUNNING not in PYTHONS:
    PYTHONS.append(RUNNING)  # newer than the classifiers, but worth testing

# Keeps the working directory off sys.path, in subprocesses too, so that the tests import the
# installed package.
INSTALLED_ONLY = {"PYTHONSAFEPATH": "1"}
CHECK_INSTALLED = """
import pathlib, sysconfig, rybbit_async
path = pathlib.Path(rybbit_async.__file__)
assert path.is_relative_to(sysconfig.get_path("purelib")), f"not the installed package: {path}"
"""


def group(name: str) -> list[str]:
    return nox.project.dependency_groups(PYPROJECT, name)


@nox.session
def demo(session: nox.Session) -> None:
    """Show the package at work, against an embedded server; `-- SITE` for your own."""
    session.install(".[demo]")
    # Longer than nox's own 0.3 s, so that the embedded server can stop after Ctrl-C.
    session.run(
        *("rybbit-async", "demo", *session.posargs), env=INSTALLED_ONLY, interrupt_timeout=10.0
    )


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run every test on each supported Python, then check types and report coverage.

    The Python that runs nox tests what a release would contain: the sdist is unpacked, the wheel
    that was built from it is installed, and the tests of the unpacked sdist run. It also measures
    coverage, which is slower; the other Pythons run the tests of the checkout without it.
    """
    session.notify("typing")
    pytest = ["-m", "pytest", *(session.posargs or ["-n2"])]
    if session.python != RUNNING:
        session.install(".[all]", *group("tests"))
        session.run("python", "-c", CHECK_INSTALLED, env=INSTALLED_ONLY)
        session.run("python", *pytest, env=INSTALLED_ONLY)
        return
    session.notify("coverage")
    wheel, sdist = build(session)
    session.install(f"{wheel}[all]", *group("tests"))
    session.run("coverage", "erase")
    data_file = Path(".coverage").resolve()  # beside the checkout's pyproject.toml
    with session.chdir(sdist):
        session.run("python", "-c", CHECK_INSTALLED, env=INSTALLED_ONLY)
        # Not pytest-cov: this package is a pytest plugin, so pytest imports it before any other
        # plugin can start to measure.
        session.run(
            *("coverage", "run", *pytest),
            env={**INSTALLED_ONLY, "COVERAGE_FILE": str(data_file)},
        )


def build(session: nox.Session) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it; return the wheel and the unpacked sdist.

    Both are in `build/release`.
    """
    session.install(*group("build"))
    # Not session.create_tmp(), which would move the temporary folders of the tests as well.
    out = Path("build/release").resolve()
    shutil.rmtree(out, ignore_errors=True)
    # Without --sdist or --wheel, "build" makes the wheel from the sdist, not from the checkout.
    session.run("python", "-m", "build", "--outdir", str(out), silent=True)
    (archive,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    shutil.unpack_archive(archive, out)
    return wheel, out / archive.name.removesuffix(".tar.gz")


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Every test, with the lowest versions that are allowed of what the package imports."""
    pins = [pin.replace(">=", "==") for pin in PYPROJECT["project"]["dependencies"]]
    session.install(".[all]", *group("tests"), *pins)
    session.run("python", "-m", "pytest", *(session.posargs or ["-n2"]), env=INSTALLED_ONLY)


@nox.session
def coverage(session: nox.Session) -> None:
    """Report what the tests covered; the tests session starts it."""
    session.install(*group("coverage"))
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the package and tests/typing with mypy and pyright, both in strict mode."""
    session.install(".[all]", *group("typing"))
    session.run("mypy", "rybbit_async", "tests/typing")
    session.run("pyright", "rybbit_async", "tests/typing")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed and memory against the same work written by hand; `-- --quick` for 4 min."""
    session.install(".[demo,export]", *group("bench"))
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Send 100,000 requests through every kind of fault; `-- --requests 20000` for a short run."""
    session.install(".[testing]")
    session.run("python", "tests/chaos.py", *session.posargs, env=INSTALLED_ONLY)


@nox.session
def replay(session: nox.Session) -> None:
    """Compare the embedded server with recordings of real ones: `-- FOLDER [RELEASE ...]`.

    Prints how many answers agree by release and route, and the first differences. Without a folder
    it replays the sample in tests/server/recordings.
    """
    session.install(".[testing]")
    posargs = session.posargs or ["tests/server/recordings"]
    session.run("python", "tests/replay.py", *posargs, env=INSTALLED_ONLY)


@nox.session
def export_stores(session: nox.Session) -> None:
    """Export to an S3-compatible server, and open CSV files in LibreOffice if it is installed."""
    session.install(".[export,testing]", *group("stores"))
    files = ("tests/export/stores.py", "tests/export/spreadsheet.py")
    session.run("python", "-m", "pytest", *files, *session.posargs, env=INSTALLED_ONLY)


@nox.session
def export_dask(session: nox.Session) -> None:
    """Export on Dask clusters of processes whose workers are killed, stopped and cut off."""
    session.install(".[dask,export,testing]", *group("tests"))
    path = "tests/export/clusters.py"
    session.run("python", "-m", "pytest", path, *session.posargs, env=INSTALLED_ONLY)


@nox.session
def export_faults(session: nox.Session) -> None:
    """Export thirty sites with twelve goals each, one site forbidden and one goal failing."""
    session.install(".[duckdb,export,testing]", *group("tests"))
    session.run("python", "tests/thirty_sites.py", *session.posargs, env=INSTALLED_ONLY)


@nox.session
def kills(session: nox.Session) -> None:
    """Kill exports at random moments and at steps on the disk; `-- --kills 10` for a short run.

    After each kill the export goes on, and must give the files of one that was not killed.
    """
    session.install(".[duckdb,export,testing]", *group("stores"))
    session.run("python", "tests/kills.py", *session.posargs, env=INSTALLED_ONLY)


@nox.session
def audit(session: nox.Session) -> None:
    """Check the dependencies for known vulnerabilities; `-- --require` fails if none can be asked.

    If no vulnerability service responds, the session says so and counts as skipped. What can be
    checked offline is checked in any case.
    """
    pip = ("python", "-m", "pip")
    session.install(".")
    session.run(*pip, "check")
    frozen = session.run(*pip, "freeze", "--exclude", "rybbit_async", silent=True) or ""
    wanted = [line for line in frozen.splitlines() if "==" in line]
    session.log("installed: " + ", ".join(wanted))
    offline = "the newest dependencies are compatible"
    lowest = [pin.replace(">=", "==") for pin in PYPROJECT["project"]["dependencies"]]
    try:
        session.run(*pip, "install", "--quiet", "--only-binary", ":all:", *lowest)
    except CommandFailed:
        session.warn(f"cannot be installed on Python {RUNNING}: {', '.join(lowest)}")
    else:
        session.run(*pip, "check")
        session.run("python", "-c", "import rybbit_async", env=INSTALLED_ONLY)
        offline += ", and so are the lowest that are allowed"

    session.install(*group("audit"))
    requirements, report = (Path(session.create_tmp(), name) for name in ("pins.txt", "audit.json"))
    requirements.write_text("\n".join(wanted))
    reasons = []
    for service in ("pypi", "osv"):
        report.unlink(missing_ok=True)
        session.run(
            "pip-audit", "--requirement", str(requirements), "--no-deps", "--disable-pip",
            "--vulnerability-service", service, "--format", "json", "--output", str(report),
            success_codes=[0, 1], silent=True,
        )  # fmt: skip
        # An exit code of 0 is not enough: packages that the service does not know are skipped.
        try:
            found = json.loads(report.read_text())["dependencies"]
        except (OSError, ValueError):
            reasons.append(f"no response from {service}")
            continue
        known = [package for package in found if "skip_reason" not in package]
        if len(known) < len(wanted):
            reasons.append(f"{service} knows {len(known)} of {len(wanted)} packages")
            continue
        vulnerable = [f"{each['name']} {vuln['id']}" for each in known for vuln in each["vulns"]]
        if vulnerable:
            session.error("known vulnerabilities: " + ", ".join(vulnerable))
        session.log(f"audited {len(known)} packages with {service}: no known vulnerabilities")
        return
    text = f"NOT AUDITED ({'; '.join(reasons)}): no vulnerability service could be asked"
    if "--require" in session.posargs:
        session.error(text)
    session.skip(f"{text}. Offline: {offline}")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
