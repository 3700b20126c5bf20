"""Stand in for one Dataverse environment with Dynamics 365 Sales, and for the Entra tenant it belongs to.

`create_app` builds the WSGI application; `app.extensions["sandbox"]` is its `Sandbox`, the way in for tests.
`python -m sandbox.dataverse` serves it over https.

Where Microsoft's pages are silent it takes the reading that is harder on a client:
- a column that may not be written at that moment is refused (Dataverse ignores it);
- a line that changes an invoice's totals moves the invoice's version, not its `modifiedon`;
- writing to a Paid or Canceled invoice is 403 (the code, 0x8004022e, is what counts); its status alone may change;
- what is sent beside a closing state is stored, as the one documented connector never sends any;
- a failed batch has the status of the operation that failed, 4xx; an application without a user here gets 403.
Not there: FetchXML, table privileges below System Administrator, bundles that add their own children, system jobs, plug-ins.
"""

from .environment import Caller, Environment
from .protection import ServiceProtection
from .server import Sandbox, create_app
from .store import Reference

__all__ = ["Caller", "Environment", "Reference", "Sandbox", "ServiceProtection", "create_app"]
