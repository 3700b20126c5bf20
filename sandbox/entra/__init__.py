"""Stand in for Microsoft Entra ID: the endpoints azure-identity and msal use, on the same server as Dataverse."""

from .certificates import Certificates
from .directory import Application, Directory, Person
from .endpoints import blueprint

__all__ = ["Application", "Certificates", "Directory", "Person", "blueprint"]
