"""The files the solution brings along: the script of the forms and the app's icon."""

from dataclasses import dataclass
from importlib.resources import files
from xml.etree.ElementTree import Element

from solution.markup import add
from solution.publisher import INTRODUCED, guid


@dataclass(frozen=True)
class WebResource:
    """One file; `type` is Dataverse's number of its kind: 3 a script, 11 a vector image."""

    name: str
    title: str
    type: int

    @property
    def id(self) -> str:
        """Return the file's id, the same for ever."""
        return guid("webresource", self.name)

    @property
    def content(self) -> bytes:
        """Return the file, with line ends of one kind wherever it was checked out."""
        return files("solution.web_resources").joinpath(self.name).read_bytes().replace(b"\r\n", b"\n")

    @property
    def path(self) -> str:
        """Return where the file lies in the solution zip."""
        return f"WebResources/{self.name.replace('.', '')}{self.id.strip('{}').upper()}"


SCRIPT = WebResource("mag_xeroconnector.js", "Says on an invoice why it is not in Xero", 3)
ICON = WebResource("mag_xeroconnector.svg", "Icon of the Xero Connector app", 11)
WEB_RESOURCES: tuple[WebResource, ...] = (SCRIPT, ICON)


def web_resource_xml(resource: WebResource) -> Element:
    """Return what customizations.xml says of the file."""
    element = Element("WebResource")
    add(element, "WebResourceId", resource.id)
    add(element, "Name", resource.name)
    add(element, "DisplayName", resource.title)
    add(element, "WebResourceType", resource.type)
    add(element, "IntroducedVersion", INTRODUCED)
    add(element, "IsEnabledForMobileClient", 0)
    add(element, "IsAvailableForMobileOffline", 0)
    add(element, "DependencyXml", '<Dependencies><Dependency componentType="WebResource"/></Dependencies>')
    add(element, "IsCustomizable", 1)
    add(element, "CanBeDeleted", 1)
    add(element, "IsHidden", 0)
    add(element, "FileName", f"/{resource.path}")
    return element
