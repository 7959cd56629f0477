"""From images to probabilities: prediction, folded models, engines, export."""
