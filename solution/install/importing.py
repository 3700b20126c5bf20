"""Import the solution file: stage it, start the job, ask how far it is, explain what failed.

In steps, so that a page can take one step a request: `begin` starts the job and returns its ids, `progress` asks once.
Source: Microsoft Learn, "Solution staging, with asynchronous import and export"; tables AsyncOperation and ImportJob.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from solution.install.problem import Problem, Refused
from solution.install.web_api import WebApi
from solution.publisher import UNIQUE_NAME, VERSION

EVERY = 5  # seconds between looks
TIMES = 720  # an hour: large environments take half of it
SUCCEEDED, FAILED, CANCELLED = 30, 31, 32
NOTHING_KEPT = "Dataverse undoes an import that fails: nothing of it was kept."

# fmt: off
MEANS: tuple[tuple[str, str], ...] = (
    # what the log says             what to do
    ("type was specified",          "A column of that name and of another type was made here by someone else. Save what it holds, delete the column in make.powerapps.com, then install again."),
    ("exists with the ownership",   "A table of that name was made here by someone else: delete it, or use another environment."),
    ("non-existing global option",  "The solution file is incomplete: build or download it again."),
    ("asks for prv",                "The environment lacks that privilege: Dynamics 365 Sales must be installed in it, in a current version."),
    ("dependency",                  "Install what it depends on first (the message names it), then install again."),
    ("already exists",              "Something of that name was made here by someone else: delete or rename it, then install again."),
)
# fmt: on


@dataclass(frozen=True)
class Job:
    """An import under way: the ids to ask for."""

    operation: str
    job: str


@dataclass(frozen=True)
class Progress:
    """How far an import is, in per cent; `done` when it has ended well."""

    percent: int
    done: bool = False


@dataclass(frozen=True)
class Installed:
    """The solution as it is installed."""

    id: str
    version: str
    managed: bool

    @property
    def is_older(self) -> bool:
        """Tell whether this program brings a newer version."""
        return ordered(self.version) < ordered(VERSION)

    @property
    def is_newer(self) -> bool:
        """Tell whether a newer version is installed than this program brings."""
        return ordered(self.version) > ordered(VERSION)


def ordered(version: str) -> tuple[int, ...]:
    """Return a version to compare: four numbers."""
    parts = [int(part) for part in version.split(".") if part.isdigit()]
    return tuple((*parts, 0, 0, 0, 0)[:4])


def installed(api: WebApi) -> Installed | None:
    """Return the solution there is, or None."""
    found = api.first(f"solutions?$select=solutionid,version,ismanaged&$filter=uniquename eq '{UNIQUE_NAME}'")
    return Installed(str(found["solutionid"]), str(found["version"]), bool(found["ismanaged"])) if found else None


def begin(api: WebApi, file: bytes, *, upgrade: bool = False) -> Job:
    """Start the import of a solution file; raises Refused when Dataverse does not want it.

    An upgrade of a managed solution also takes away what only the former version had.
    """
    package = {"OverwriteUnmanagedCustomizations": True, "PublishWorkflows": True}
    if upgrade:
        started = api.write("POST", "StageAndUpgradeAsync", {**package, "CustomizationFile": b64encode(file).decode()})
        return Job(str(started["AsyncOperationId"]), str(started["ImportJobKey"]))
    staged = api.write("POST", "StageSolution", {"CustomizationFile": b64encode(file).decode()})["StageSolutionResults"]
    if wrong := [str(one.get("Message")) for one in staged.get("SolutionValidationResults") or () if one.get("Message")]:
        raise Problem(f"Dataverse refuses the file: {' '.join(wrong)}", "Build or download it again.")
    if missing := staged.get("MissingDependencies"):
        names = ", ".join(sorted({str((one.get("RequiredComponent") or one).get("SchemaName") or one) for one in missing}))
        raise Problem(f"The environment lacks what the solution needs: {names}.", "Install Dynamics 365 Sales in it first.")
    parameters = {"StageSolutionUploadId": staged["StageSolutionUploadId"]}
    started = api.write("POST", "ImportSolutionAsync", {**package, "SolutionParameters": parameters})
    return Job(str(started["AsyncOperationId"]), str(started["ImportJobKey"]))


def progress(api: WebApi, job: Job) -> Progress:
    """Ask once how far an import is; raises Problem, component by component, when it has failed."""
    operation = api.get(f"asyncoperations({job.operation})?$select=statecode,statuscode,message")
    row = api.find(f"importjobs({job.job})?$select=progress,completedon,data") or {}
    if operation["statuscode"] == SUCCEEDED:
        return Progress(100, done=True)
    if operation["statuscode"] in (FAILED, CANCELLED):
        failures = list(explained(str(row.get("data") or "")))
        told = "\n".join(failures) or str(operation.get("message") or "Dataverse does not say why.")
        raise Problem(f"The import failed.\n{told}", f"{NOTHING_KEPT} Put right what is named above, then run the command again.")
    return Progress(min(int(float(row.get("progress") or 0)), 99))


def wait(api: WebApi, job: Job, say: Callable[[str], None]) -> None:
    """Return when the import has ended well; raises Problem when it failed, or goes on for more than an hour."""
    last = -1
    for _ in range(TIMES):
        now = progress(api, job)
        if now.percent != last:
            say(f"Importing: {now.percent} %.")
            last = now.percent
        if now.done:
            return
        api.pause(EVERY)
    raise Problem(
        "The import still runs after an hour.",
        "It goes on without this command. See Solutions → History in make.powerapps.com; run the command again when it has ended.",
    )


def explained(log: str) -> Iterator[str]:
    """Say of every component that failed what it is, why, and what to do, from an import job's log.

    The log is the manifest of the solution annotated with `result` elements; the manifest's own only sums up.
    """
    try:
        root = ElementTree.fromstring(log)
    except ElementTree.ParseError:
        return
    parents = {child: parent for parent in root.iter() for child in parent}
    for result in root.iter("result"):
        component = parents.get(result, root)
        if result.get("result") != "failure" or component.tag in ("solutionManifest", "importexportxml"):
            continue
        name = component.get("LocalizedName") or component.get("name") or component.get("id") or ""
        text = result.get("errortext") or "no reason given"
        step = next((what for says, what in MEANS if says in text), "")
        code = result.get("errorcode") or ""
        yield f"  {component.tag} {name}: {text} ({code})" + (f"\n    → {step}" if step else "")
    for missing in root.iter("MissingDependency"):
        required = missing.find("Required")
        if required is not None:
            name = required.get("displayName") or required.get("schemaName") or required.get("id") or ""
            yield f"  {name} of {required.get('solution') or 'another solution'} is missing.\n    → Install it first, then install again."


def refuse_mode(found: Installed, *, managed: bool) -> None:
    """Raise Problem when the other kind of the solution is installed: they cannot replace each other."""
    if found.managed and not managed:
        raise Refused(400, "", "The managed solution is installed here.", "Run the command with --managed.")
    if managed and not found.managed:
        step = "Run the command without --managed; or uninstall first, which deletes what the tables hold."
        raise Refused(400, "", "The unmanaged solution is installed here.", step)
