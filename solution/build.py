"""The solution zip, unmanaged and managed: `python -m solution build`. The same rows give the same bytes."""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from solution.app import APP
from solution.customizations import customizations
from solution.forms import FORMS
from solution.markup import add, document, each, localized
from solution.model import MODEL
from solution.publisher import (
    CUSTOMIZATION_PREFIX,
    DESCRIPTION,
    LANGUAGE,
    OPTION_PREFIX,
    PUBLISHER,
    PUBLISHER_TITLE,
    TITLE,
    UNIQUE_NAME,
    VERSION,
)
from solution.roles import ROLES
from solution.schema import CHOICES, TABLES
from solution.web_resources import WEB_RESOURCES

ROOT = Path(__file__).parents[1]
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest moment a zip can hold: the time of the build is no part of the solution
PACKAGE = "9.1"
SUBCOMPONENTS, SHELL = 0, 2
ADDRESS = (
    "City County Country Fax FreightTermsCode ImportSequenceNumber Latitude Line1 Line2 Line3 Longitude Name PostalCode "
    "PostOfficeBox PrimaryContactName ShippingMethodCode StateOrProvince Telephone1 Telephone2 Telephone3 "
    "TimeZoneRuleVersionNumber UPSZone UTCOffset UTCConversionTimeZoneCode"
)


def file_name(*, managed: bool) -> str:
    """Name the zip as Dataverse names its exports."""
    version = VERSION.replace(".", "_")
    return f"{UNIQUE_NAME}_{version}_managed.zip" if managed else f"{UNIQUE_NAME}_{version}.zip"


def package(*, managed: bool) -> bytes:
    """Return the solution zip, ready for ImportSolution or an import by hand."""
    files = {
        "[Content_Types].xml": document(_content_types()),
        "customizations.xml": document(customizations()),
        "solution.xml": document(solution_xml(managed=managed)),
        **{resource.path: resource.content for resource in WEB_RESOURCES},
    }
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, content in sorted(files.items()):
            entry = ZipInfo(name, LONG_AGO)
            entry.compress_type, entry.create_system = ZIP_DEFLATED, 0  # as if from Windows, wherever it is built
            archive.writestr(entry, content)
    return buffer.getvalue()


def solution_xml(*, managed: bool) -> Element:
    """Return the manifest: who publishes what, and which components are the solution's own."""
    root = Element("ImportExportXml", {"version": "9.1.0.22554", "SolutionPackageVersion": PACKAGE, "languagecode": LANGUAGE})
    root.attrib |= {"generatedBy": "CrmLive", "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"}
    manifest = add(root, "SolutionManifest")
    add(manifest, "UniqueName", UNIQUE_NAME)
    localized(manifest, "LocalizedNames", "LocalizedName", TITLE)
    localized(manifest, "Descriptions", "Description", DESCRIPTION)
    each(manifest, Version=VERSION, Managed=int(managed))
    _publisher(manifest)
    components = add(manifest, "RootComponents")
    for type_, name, behavior in sorted(root_components()):
        component = add(components, "RootComponent", None, type=type_)
        component.set("id" if name.startswith("{") else "schemaName", name)
        component.set("behavior", str(behavior))
    add(manifest, "MissingDependencies")
    return root


def root_components() -> Iterator[tuple[int, str, int]]:
    """Return type, name or id, and behavior of every component.

    Our tables bring all that is theirs. Of Dynamics 365's own tables only what we add is taken (the shell), and their
    forms of ours are named one by one, as real exports do.
    """
    yield from ((1, table.name, SUBCOMPONENTS if table.custom else SHELL) for table in TABLES)
    yield from ((9, choice.name, 0) for choice in CHOICES)
    yield from ((20, role.id, 0) for role in ROLES)
    yield from ((60, form.id, 0) for form in FORMS if not MODEL[form.table].custom)
    yield from ((61, resource.name, 0) for resource in WEB_RESOURCES)
    yield 62, APP, 0
    yield 80, APP, 0


def _publisher(manifest: Element) -> None:
    publisher = add(manifest, "Publisher")
    add(publisher, "UniqueName", PUBLISHER)
    localized(publisher, "LocalizedNames", "LocalizedName", PUBLISHER_TITLE)
    add(publisher, "Descriptions")
    for nothing in ("EMailAddress", "SupportingWebsiteUrl"):
        add(publisher, nothing, None, **{"xsi:nil": "true"})
    each(publisher, CustomizationPrefix=CUSTOMIZATION_PREFIX, CustomizationOptionValuePrefix=OPTION_PREFIX)
    addresses = add(publisher, "Addresses")
    for number in (1, 2):
        address = add(addresses, "Address")
        each(address, AddressNumber=number, AddressTypeCode=1)
        for tag in ADDRESS.split():
            if tag == "ShippingMethodCode":
                add(address, tag, 1)
            else:
                add(address, tag, None, **{"xsi:nil": "true"})


def _content_types() -> Element:
    root = Element("Types", {"xmlns": "http://schemas.openxmlformats.org/package/2006/content-types"})
    add(root, "Default", None, Extension="xml", ContentType="text/xml")
    for resource in WEB_RESOURCES:
        add(root, "Override", None, PartName=f"/{resource.path}", ContentType="application/octet-stream")
    return root


def main(arguments: list[str]) -> int:
    """Write the zips and print where they are and how large."""
    parser = argparse.ArgumentParser(prog="python -m solution build", description="Write the solution zips.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder to write into (default: dist)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--managed", dest="kinds", action="store_const", const=(True,), help="only the managed zip")
    kind.add_argument("--unmanaged", dest="kinds", action="store_const", const=(False,), help="only the unmanaged zip")
    parser.set_defaults(kinds=(False, True))
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    for managed in chosen.kinds:
        path = chosen.out / file_name(managed=managed)
        path.write_bytes(package(managed=managed))
        print(f"{path}  {path.stat().st_size:,} bytes")
    return 0
