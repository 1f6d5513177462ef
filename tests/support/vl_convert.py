"""Replace vl-convert by itself with a cache in .pytest_cache: many tests draw the same charts.

tests/support precedes site-packages on the path of tests and of the processes that they start.
"""

import hashlib
import os
import sys
from importlib.machinery import PathFinder
from importlib.metadata import version
from importlib.util import module_from_spec
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".pytest_cache" / "charts"
VERSION = version("vl-convert-python")


def cache_calls(name: str):
    function = getattr(module, name)

    def convert(text: str, *arguments, **options) -> str:
        key = repr((VERSION, name, text, arguments, sorted(options.items())))
        path = CACHE / hashlib.sha256(key.encode()).hexdigest()
        if not path.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(f".{os.getpid()}")
            unfinished.write_text(function(text, *arguments, **options), encoding="utf-8")
            unfinished.replace(path)
        return path.read_text(encoding="utf-8")

    return convert


spec = PathFinder.find_spec(
    "vl_convert", [path for path in sys.path if Path(path) != Path(__file__).parent]
)
assert spec is not None
assert spec.loader is not None
module = sys.modules["vl_convert"] = module_from_spec(spec)
spec.loader.exec_module(module)
# the real module, with cached functions, takes the place of this one
for name in ("javascript_bundle", "vega_to_svg", "vegalite_to_svg"):
    setattr(module, name, cache_calls(name))
