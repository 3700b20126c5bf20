"""Stand in for Xero: identity (consent, tokens, connections) and the accounting endpoints the connector uses.

`create_app` builds the WSGI application; `app.extensions["sandbox"]` is its `Sandbox`, the way in for tests.
`python -m sandbox.xero` serves it.
"""

from .app import create_app
from .faults import ConnectionDropped, Fault
from .sandbox import Sandbox, XeroApp

__all__ = ["ConnectionDropped", "Fault", "Sandbox", "XeroApp", "create_app"]
