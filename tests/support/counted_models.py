"""Models written by hand, and what a query counts of them."""


def model(name, downloads=None, *, files=None, **fields):
    """Return a model without tags."""
    if files is not None:
        fields["siblings"] = [{"rfilename": file} for file in files]
    if downloads is not None:
        fields["downloads"] = downloads
    return {"id": name, "tags": [], **fields}


def fractions(rows):
    """Return {name: (numerator, denominator)}."""
    return {name: (row["numerator"], row["denominator"]) for name, row in rows.items()}


def tagged(name, *tags, downloads=1, **fields):
    return model(name, downloads, **fields) | {"tags": [*tags]}
