"""From images to a trained model: data set, mixup, distillation, schedules, callbacks."""
