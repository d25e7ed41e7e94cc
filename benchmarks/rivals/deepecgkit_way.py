"""deepecgkit's way, run by the Python of its own environment: PTBXLDataset, ResNet1D, ECGTrainer.fit."""

import sys
from importlib.metadata import version
from typing import Any

from deepecgkit.datasets.ptbxl import PTBXLDataset
from deepecgkit.models.resnet1d import ResNet1D
from deepecgkit.training.train import ECGTrainer
from torch.utils.data import DataLoader
from turns import BATCH, LEADS, answer, size

CLASSES = 5


class Shown:
    """The dataset's batches for training, and none for validation, as `fit` wants them."""

    def __init__(self, records: PTBXLDataset) -> None:
        self.records = records

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.records, batch_size=BATCH, shuffle=True)

    def val_dataloader(self) -> list[Any]:
        return []


class Way:
    """Records in memory after `load`, a network that each `epoch` trains on."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.network = ResNet1D(input_channels=LEADS, output_size=CLASSES, base_channels=16)
        self.trainer = ECGTrainer(self.network, {"multi_label": True}, device="cpu")

    def load(self) -> None:
        self.records = PTBXLDataset(self.folder, sampling_rate=100, use_high_resolution=False, verbose=False)

    def epoch(self) -> None:
        self.trainer.fit(Shown(self.records), epochs=1, progress_bar=False, restore_best=False)

    def about(self) -> dict[str, Any]:
        network = "ResNet1D of 16 channels"
        return {
            "version": version("deepecgkit"),
            "records": len(self.records),
            "network": network,
            **size(self.network),
        }


if __name__ == "__main__":
    way = Way(sys.argv[1])
    answer({"load": way.load, "epoch": way.epoch, "about": way.about})
