"""Print the libraries of huggingface.js that the taxonomy lacks.

    python tools/model_libraries.py model-libraries.ts
    python tools/model_libraries.py https://raw.githubusercontent.com/huggingface/huggingface.js/main/packages/tasks/src/model-libraries.ts

For each: its name, title and repository, as tab-separated values. Exit code 1 if there are any.
"""

import re
import sys
from pathlib import Path
from urllib.request import urlopen

from hfscan.frameworks import taxonomy

_ENTRY = re.compile(r"^(?:\t|  )\"?([\w.-]+)\"?: \{$(.*?)^(?:\t|  )\},?$", re.MULTILINE | re.DOTALL)
_FIELD = r"{}:\s*\"([^\"]*)\""


def read_libraries(text: str) -> dict[str, tuple[str, str]]:
    """Return library -> title and URL. Raises ValueError where the text declares none."""
    libraries = {}
    for name, fields in _ENTRY.findall(text):
        title, url = (
            re.search(_FIELD.format(field), fields) for field in ("prettyLabel", "repoUrl")
        )
        if title:
            libraries[name] = (title[1], url[1] if url else "")
    if not libraries:
        raise ValueError("This is not huggingface.js's model-libraries.ts: it declares no library.")
    return libraries


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    source = sys.argv[1]
    if source.startswith("https://"):
        with urlopen(source, timeout=30) as answer:  # noqa: S310 - https only
            text = answer.read().decode()
    else:
        text = Path(source).read_text(encoding="utf-8")
    known = taxonomy().names["library"]
    missing = {name: of for name, of in read_libraries(text).items() if name not in known}
    for name, (title, url) in missing.items():
        print(name, title, url, sep="\t")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
