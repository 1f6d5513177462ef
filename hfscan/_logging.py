"""The package's logger. Modules write to it; only the command line decides where that goes.

Info tells what is done, debug each request with its URL and the Hub's request id. Neither a token
nor the text of an answer is logged.
"""

import logging

LOGGER = logging.getLogger("hfscan")
LOGGER.addHandler(logging.NullHandler())
