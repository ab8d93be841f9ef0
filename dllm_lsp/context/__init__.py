"""What the model sees of a document, in characters. Pure functions over snapshots."""
