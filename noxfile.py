"""The project's jobs. `nox -s demo` and `nox -s tests` need Python 3.11 or newer, pip and nox."""

import json
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

# "CI=true" would make an interpreter that the machine lacks an error, and nothing is fetched to
# replace it: the tests run on what is there.
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"
nox.options.sessions = ["lint", "tests"]

PYPROJECT = nox.project.load_toml(Path(__file__).with_name("pyproject.toml"))
PYTHONS = nox.project.python_versions(PYPROJECT)
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
if sys.version_info >= (3, 11) and RUNNING not in PYTHONS:
    PYTHONS.append(RUNNING)  # newer than the classifiers: better tested than passed over

# Keeps the checkout off sys.path, in subprocesses too: what is imported is what was installed.
INSTALLED_ONLY = {"PYTHONSAFEPATH": "1"}
CHECK_INSTALLED = """
import pathlib, sysconfig, rybbit_async
where = pathlib.Path(rybbit_async.__file__)
assert where.is_relative_to(sysconfig.get_path("purelib")), f"not the installed package: {where}"
"""


def group(name: str) -> list[str]:
    return nox.project.dependency_groups(PYPROJECT, name)


@nox.session
def demo(session: nox.Session) -> None:
    """The main job, on an embedded server or on the one that RYBBIT_BASE_URL names."""
    session.install(".[demo]")
    # Longer than nox's own 0.3 s, so that Ctrl-C finds the embedded server ended, too.
    session.run("python", "-m", "rybbit_async.demo", env=INSTALLED_ONLY, interrupt_timeout=10.0)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Every test, on every Python of the classifiers; then the types, and what was covered."""
    session.notify("typing")
    session.install(".[all]", *group("tests"))
    session.run("python", "-c", CHECK_INSTALLED, env=INSTALLED_ONLY)
    pytest = ["-m", "pytest", *(session.posargs or ["-n2"])]
    if session.python != RUNNING:
        session.run("python", *pytest, env=INSTALLED_ONLY)
        return
    # Measuring takes its time, and one interpreter shows what is covered.
    session.notify("coverage")
    session.run("coverage", "erase")
    # Not pytest-cov: this package is a pytest plugin, so pytest imports it before any other
    # plugin can start measuring.
    session.run("coverage", "run", *pytest, env=INSTALLED_ONLY)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Every test, with the lowest versions that are allowed of what the package imports."""
    pins = [pin.replace(">=", "==") for pin in PYPROJECT["project"]["dependencies"]]
    session.install(".[all]", *group("tests"), *pins)
    session.run("python", "-m", "pytest", *(session.posargs or ["-n2"]), env=INSTALLED_ONLY)


@nox.session
def coverage(session: nox.Session) -> None:
    """What the tests have covered, in all of their processes together."""
    session.install(*group("coverage"))
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def typing(session: nox.Session) -> None:
    """The package and the typed examples, for two type checkers at their strictest."""
    session.install(".[all]", *group("typing"))
    session.run("mypy", "rybbit_async", "tests/typing")
    session.run("pyright", "rybbit_async", "tests/typing")


@nox.session
def bench(session: nox.Session) -> None:
    """How fast it is, beside the same work done by hand: a table and a JSON file."""
    session.install(".[demo]", *group("bench"))
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """100,000 requests through every fault at once; `-- --requests 20000` for a shorter run."""
    session.install(".[testing]")
    session.run("python", "tests/chaos.py", *session.posargs, env=INSTALLED_ONLY)


@nox.session
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of what an install brings. `-- --require`: no service, no success.

    Where no vulnerability service answers, that is said, and the session counts as skipped; what
    can be found out offline is checked all the same.
    """
    pip = ("python", "-m", "pip")
    session.install(".")
    session.run(*pip, "check")
    frozen = session.run(*pip, "freeze", "--exclude", "rybbit_async", silent=True) or ""
    wanted = [line for line in frozen.splitlines() if "==" in line]
    session.log("installed: " + ", ".join(wanted))
    offline = "the newest requirements fit together"
    lowest = [pin.replace(">=", "==") for pin in PYPROJECT["project"]["dependencies"]]
    try:
        session.run(*pip, "install", "--quiet", "--only-binary", ":all:", *lowest)
    except CommandFailed:
        session.warn(f"not to be had for Python {RUNNING}: {', '.join(lowest)}")
    else:
        session.run(*pip, "check")
        session.run("python", "-c", "import rybbit_async", env=INSTALLED_ONLY)
        offline += ", and so do the lowest that are allowed"

    session.install(*group("audit"))
    requirements, report = (Path(session.create_tmp(), name) for name in ("pins.txt", "audit.json"))
    requirements.write_text("\n".join(wanted))
    why = []
    for service in ("pypi", "osv"):
        report.unlink(missing_ok=True)
        session.run(
            "pip-audit", "--requirement", str(requirements), "--no-deps", "--disable-pip",
            "--vulnerability-service", service, "--format", "json", "--output", str(report),
            success_codes=[0, 1], silent=True,
        )  # fmt: skip
        # An exit code of 0 means little: what the service does not know is passed over.
        try:
            found = json.loads(report.read_text())["dependencies"]
        except (OSError, ValueError):
            why.append(f"no answer from {service}")
            continue
        known = [one for one in found if "skip_reason" not in one]
        if len(known) < len(wanted):
            why.append(f"{service} knows {len(known)} of {len(wanted)} packages")
            continue
        holes = [f"{one['name']} {hole['id']}" for one in known for hole in one["vulns"]]
        if holes:
            session.error("known vulnerabilities: " + ", ".join(holes))
        session.log(f"audited {len(known)} packages with {service}: no known vulnerabilities")
        return
    text = f"NOT AUDITED ({'; '.join(why)}): nothing was found out about vulnerabilities"
    if "--require" in session.posargs:
        session.error(text)
    session.skip(f"{text}. Offline: {offline}")


@nox.session
def lint(session: nox.Session) -> None:
    """Style."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
