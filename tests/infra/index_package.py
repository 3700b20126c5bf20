"""Index the app in a folder with Microsoft's runtime, nothing else of ours on the path, and print its functions: a process of its own."""

import importlib
import json
import sys
from pathlib import Path

app, runtime = Path(sys.argv[1]), Path(sys.argv[2])
sys.path[:] = [path for path in sys.path if path not in ("", str(Path(__file__).parent))]
sys.path.append(str(runtime.parent))
index = importlib.import_module("functions_runtime").index

found = index(app)
sys.path.insert(0, str(app))
for path in sorted(app.rglob("*.py")):  # what is imported only when a page is asked for is there as well
    importlib.import_module(".".join(path.relative_to(app).with_suffix("").parts).removesuffix(".__init__"))
ours = [module for name, module in sys.modules.items() if name.split(".")[0] in ("functions", "mappings", "shared", "solution")]
strays = sorted(str(module.__file__) for module in ours if module.__file__ and not Path(module.__file__).is_relative_to(app))
print(json.dumps({"functions": sorted(found.metadata), "strays": strays}))
