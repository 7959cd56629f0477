"""The networks written by hand in PyTorch: channels-last tensors, autocast, fused Adam and a bare loop."""

import torch
from torch import nn
from torch.nn import functional


class Classifier(nn.Module):
    """(n, 48, 48, 1) uint8 to (n, 7) logits; standardized, mirrored at random in training."""

    def forward(self, x):
        x = (x.float() - 129.0) / 65.0
        if self.training:
            x = torch.where(torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5, x.flip(2), x)
        return self.head(self.features(x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)))


class Cnn(Classifier):
    """`fer_keras.models.cnn` with batch normalization on the convolutions and layer normalization behind them."""

    def __init__(self, filters, repeats, units, convolution_dropout, dropout):
        super().__init__()
        features, channels, side = [], 1, 48
        for width in filters:
            for _ in range(repeats):
                features += [nn.Conv2d(channels, width, 3, padding=1), norm(width), nn.ReLU(inplace=True)]
                channels = width
            features += [nn.MaxPool2d(2), nn.Dropout(convolution_dropout)]
            side //= 2
        head, size = [Flatten()], channels * side**2
        for width in units:
            head += [nn.Linear(size, width), nn.LayerNorm(width, eps=1e-3), nn.ReLU(inplace=True)]
            head += [nn.Dropout(dropout)]
            size = width
        self.features, self.head = nn.Sequential(*features), nn.Sequential(*head, nn.Linear(size, 7))


class Resnet(Classifier):
    """`fer_keras.models.resnet` without squeeze-and-excitation."""

    def __init__(self, filters, blocks, stem_stride, dropout):
        super().__init__()
        stem = nn.Conv2d(1, filters[0], 3 * stem_stride, stem_stride, padding=1 + stem_stride // 2, bias=False)
        features, channels = [stem], filters[0]
        for stage, (width, count) in enumerate(zip(filters, blocks, strict=True)):
            for block in range(count):
                features.append(Block(channels, width, 2 if stage and not block else 1))
                channels = width
        features += [norm(channels), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*features)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), Flatten(), nn.Dropout(dropout), nn.Linear(channels, 7))


class Block(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.norm_1, self.norm_2 = norm(channels), norm(width)
        # Keras' padding "same": where the stride is 2, all of it comes after the image.
        self.pad = nn.ZeroPad2d((0, 1, 0, 1)) if stride == 2 else nn.Identity()
        self.conv_1 = nn.Conv2d(channels, width, 3, stride, padding=0 if stride == 2 else 1, bias=False)
        self.conv_2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        moved = stride > 1 or channels != width
        self.shortcut = nn.Conv2d(channels, width, 1, stride, bias=False) if moved else None

    def forward(self, x):
        y = functional.relu(self.norm_1(x), inplace=True)
        shortcut = x if self.shortcut is None else self.shortcut(y)
        y = self.conv_2(functional.relu(self.norm_2(self.conv_1(self.pad(y))), inplace=True))
        return y + shortcut


class Flatten(nn.Module):
    """Height, width, channels, as Keras flattens."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def norm(channels, momentum=0.01):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=momentum)


NETWORKS = {"cnn": Cnn, "resnet": Resnet}


class Trainer:
    """A training step at a time; loss and accuracy are summed on the device.

    Args:
        model: `"cnn"` or `"resnet"`.
        options: keywords of its class.
        precision: `"float32"` or `"mixed_bfloat16"`.
    """

    def __init__(self, model, options, precision):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.net = NETWORKS[model](**options).to(self.device, memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-3, eps=1e-7, fused=True)
        self.autocast = torch.autocast(self.device, torch.bfloat16, enabled=precision == "mixed_bfloat16")
        self.loss, self.hits = torch.zeros((), device=self.device), torch.zeros((), device=self.device)

    def parameters(self):
        return sum(p.numel() for p in [*self.net.parameters(), *self.net.buffers()] if p.ndim)

    def train(self, batches):
        for images, labels in batches:
            x, y = torch.from_numpy(images).to(self.device), torch.from_numpy(labels).to(self.device)
            with self.autocast:
                logits = self.net(x)
            loss = functional.cross_entropy(logits.float(), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                self.loss += loss * len(x)
                self.hits += (logits.argmax(1) == y).sum()
        if self.device == "cuda":
            torch.cuda.synchronize()
