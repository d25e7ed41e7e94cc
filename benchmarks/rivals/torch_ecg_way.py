"""torch_ecg's way, run by the Python of its own environment: PTBXL, PreprocManager, ECG_CRNN, BaseTrainer.

What it leaves to its user is written here as its own examples write it: the data set of one's records, and a step.
"""

import sys
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from torch_ecg._preprocessors import PreprocManager
from torch_ecg.cfg import CFG
from torch_ecg.components.trainer import BaseTrainer
from torch_ecg.databases import PTBXL
from torch_ecg.model_configs import ECG_CRNN_CONFIG
from torch_ecg.models import ECG_CRNN
from torch_ecg.utils.utils_nn import adjust_cnn_filter_lengths
from tqdm.auto import tqdm
from turns import BATCH, LEADS, answer, size

CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
RATE = 100
CONDITIONING = CFG(
    random=False,
    bandpass=CFG(lowcut=1, highcut=45, filter_type="butter", filter_order=2),
    normalize=CFG(method="z-score", per_channel=True),
)


class Records(Dataset[Any]):
    """Signals and labels in memory."""

    def __init__(self, folder: str, work: Path) -> None:
        reader = PTBXL(db_dir=folder, working_dir=work, verbose=0, fs=RATE)
        manager = PreprocManager.from_config(CONDITIONING)
        signals = [manager(reader.load_data(record), RATE)[0] for record in reader.all_records]
        self.signals = np.stack(signals).astype(np.float32)
        self.labels = np.stack([self.label(reader, record) for record in reader.all_records])

    def label(self, reader: PTBXL, record: str) -> Any:
        statements = reader.load_ann(record, with_interpretation=True).values()
        said = {one["diagnostic_class"] for one in statements if one["likelihood"] >= 50}
        return np.array([name in said for name in CLASSES], dtype=np.float32)

    def __len__(self) -> int:
        return len(self.signals)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.signals[index], self.labels[index]


class Trainer(BaseTrainer):
    """The loop of the package, with the parts that it wants written."""

    batch_dim = 0
    extra_required_train_config_fields = ()

    @property
    def required_train_config_fields(self) -> list[str]:
        return ["classes", "n_epochs", "batch_size", "log_step", "optimizer", "lr_scheduler", "learning_rate"]

    def _setup_dataloaders(self, train_dataset: Any = None, val_dataset: Any = None) -> None:  # noqa: ARG002
        self.train_loader = DataLoader(train_dataset, self.batch_size, shuffle=True, collate_fn=self.collate_fn)

    def run_one_step(self, *data: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        signals, labels = data
        return self.model(signals.to(self.device, self.dtype)), labels.to(self.device)

    def evaluate(self, data_loader: Any) -> dict[str, float]:  # noqa: ARG002
        return {}


class Way:
    """Records in memory after `load`, a network that each `epoch` trains on."""

    def __init__(self, folder: str, work: Path) -> None:
        self.folder, self.work = folder, work
        config = deepcopy(ECG_CRNN_CONFIG)
        config.cnn.name = "resnet_18"
        config.cnn.resnet_18 = adjust_cnn_filter_lengths(config.cnn.resnet_18, RATE)
        config.cnn.resnet_18.stem.num_filters = 16
        config.attn.name = "none"
        self.network = ECG_CRNN(list(CLASSES), LEADS, config)
        about = CFG(
            classes=list(CLASSES), n_epochs=1000, batch_size=BATCH, learning_rate=1e-3, optimizer="adamw",
            lr_scheduler="none", loss="BCEWithLogitsLoss", monitor=None, checkpoints=work / "checkpoints",
            log_dir=work / "log",
        )  # fmt: skip
        self.trainer = Trainer(self.network, Records, config, about, device=torch.device("cpu"), lazy=True)
        self.trainer._setup_optimizer()
        self.trainer._setup_scheduler()
        self.trainer._setup_criterion()

    def load(self) -> None:
        self.records = Records(self.folder, self.work)
        self.trainer._setup_dataloaders(self.records)

    def epoch(self) -> None:
        self.trainer.model.train()
        self.trainer.epoch_loss = 0
        with tqdm(total=len(self.records), mininterval=1.0) as bar:
            self.trainer.train_one_epoch(bar)

    def about(self) -> dict[str, Any]:
        network = "ECG_CRNN of resnet_18, 16 filters"
        return {"version": version("torch_ecg"), "records": len(self.records), "network": network, **size(self.network)}


if __name__ == "__main__":
    way = Way(sys.argv[1], Path(sys.argv[2]))
    answer({"load": way.load, "epoch": way.epoch, "about": way.about})
