"""Stand in for one Dataverse environment with Dynamics 365 Sales, and for the Entra tenant it belongs to.

`create_app` builds the WSGI application; `app.extensions["sandbox"]` is its `Sandbox`, the way in for tests.
`python -m sandbox.dataverse` serves it over https.
"""

from .environment import Caller, Environment
from .protection import ServiceProtection
from .server import Sandbox, create_app
from .store import Reference

__all__ = ["Caller", "Environment", "Reference", "Sandbox", "ServiceProtection", "create_app"]
