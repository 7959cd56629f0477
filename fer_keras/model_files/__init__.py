"""Model files: saving, safe loading, the pretrained networks."""
