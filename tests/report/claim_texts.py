"""Parts of the file of a claim, and models to measure it on."""

MODELS = [
    {"id": f"ann/{n}", "tags": ["pytorch"], "createdAt": "2023-05-01T00:00:00.000Z"}
    for n in range(300)
] + [
    {
        "id": f"bob/{n}",
        "tags": ["tf", *["license:mit"] * (n < 50)],
        "createdAt": "2023-05-01T00:00:00.000Z",
    }
    for n in range(100)
]  # 75 % PyTorch only

HEAD = """claim = "C"
source = "S"
source_note = "A test."
made = "2024"
about = "A"
claimed = "F"
"""

PRIMARY = """
[primary]
reading = "R"
why = "W."
at = 2024-01-01
query = "exclusivity"
value = { name = "exclusive", framework = "pytorch", column = "share" }
"""

TENSORFLOW = """
[[{kind}]]
reading = "T"
{key} = "the framework"
value = {{ name = "exclusive", framework = "tensorflow", column = "share" }}
"""


SUM = '[[adds]]\nwhat = "a + b"\nshares = [0.9, {}]\nrounding = 0.005\n'


def accepts(least, most):
    return f'accepts = {{ least = {least}, most = {most}, why = "w" }}\n'
