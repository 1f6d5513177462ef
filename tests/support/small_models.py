"""Models for small snapshots."""

BERT = {
    "id": "ann/bert",
    "tags": ["pytorch"],
    "library_name": "transformers",
    "createdAt": "2022-08-19T20:19:12.000Z",
    "config": {"model_type": "bert", "architectures": ["BertModel"]},
    "siblings": [{"rfilename": "model.safetensors"}, {"rfilename": "a/B.TFLITE"}],
}


def make_keras_model(name, **fields):
    """Return a model with a tag of TensorFlow."""
    return {"id": name, "tags": ["tf"], "createdAt": "2023-01-02T00:00:00.000Z"} | fields
