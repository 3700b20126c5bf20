"""Microsoft's schema of solution files, where somebody has it at hand.

The schemas may not be passed on and are no part of this project: name their folder (the one with
CustomizationsSolution.xsd) in DATAVERSE_XSD and install xmlschema to run this.
"""

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.solution.export import archive

FOLDER = os.environ.get("DATAVERSE_XSD", "")
NEWER = (
    "AutoNumberFormat IsSearchable IsFilterable IsRetrievable IsLocalizable IsRetrieveAuditEnabled IsRetrieveMultipleAuditEnabled "
    "IsSolutionAware OptimizedFor NavigationType"
)
NEWER_TAGS = set(NEWER.split())
NEWER_IN_APPS = {"statecode", "statuscode"}
NEWER_ATTRIBUTES = {"headerdensity", "isinherited"}


@pytest.mark.skipif(not FOLDER, reason="DATAVERSE_XSD names no folder with Microsoft's schemas")
def test_customizations_follow_microsofts_schema(tmp_path):
    xmlschema = pytest.importorskip("xmlschema", reason="xmlschema is not installed")
    for path in Path(FOLDER).glob("*.xsd"):
        (tmp_path / path.name).write_text(_readable(path.read_text("utf-8-sig")), "utf-8")
    schema = xmlschema.XMLSchema(tmp_path / "CustomizationsSolution.xsd", validation="lax")
    root = ElementTree.fromstring(archive(managed=False).read("customizations.xml"))
    _without_what_is_newer(root)
    assert [f"{error.path}: {error.reason}" for error in schema.iter_errors(root)] == []


def _readable(schema: str) -> str:
    """Take what only .NET's patterns know out of a schema: look-aheads and anchors."""
    return re.sub(r'(<xs:pattern\s+value\s*=\s*")([^"]*)(")', lambda m: m[1] + _pattern(m[2]) + m[3], schema)


def _pattern(pattern: str) -> str:
    return re.sub(r"\$$", "", re.sub(r"\(\?![^)]*\)", "", pattern).lstrip("^"))


def _without_what_is_newer(element: ElementTree.Element) -> None:
    """Take out what Dataverse has added since the schema was published (9.0.0.2090)."""
    for name in NEWER_ATTRIBUTES & set(element.attrib):
        del element.attrib[name]
    newer = NEWER_TAGS | (NEWER_IN_APPS if element.tag == "AppModule" else set())
    for child in list(element):
        if child.tag in newer:
            element.remove(child)
        else:
            _without_what_is_newer(child)
