"""Collections of pictures, read with numpy and Pillow alone: the drawn set, CIFAR-100, any folder."""

from shared.datasets.source import Picture, PictureSource, open_source

__all__ = ["Picture", "PictureSource", "open_source"]
