"""AlexNet without padding, as SiamFC introduced it and SiamRPN++ compares with."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["AlexNet"]


class AlexNet(nn.Module):
    """Five convolutions, total stride 8.

    (N, 3, 127, 127) -> (N, 256, 6, 6);  (N, 3, 287, 287) -> (N, 256, 26, 26)
    """

    channels = (256,)

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=2),
            nn.BatchNorm2d(96),
            nn.MaxPool2d(3, stride=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(96, 256, 5),
            nn.BatchNorm2d(256),
            nn.MaxPool2d(3, stride=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 384, 3),
            nn.BatchNorm2d(384),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 384, 3),
            nn.BatchNorm2d(384),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3),
            nn.BatchNorm2d(256),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.features(x),)
