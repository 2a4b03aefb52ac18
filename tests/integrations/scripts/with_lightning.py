"""Lightning's Trainer, which makes the loops itself."""

import logging
from typing import Any

import lightning
import torch
from slow_data import Slow
from torch.utils.data import DataLoader


class Net(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch: Any, _: int) -> Any:
        inputs, target = batch
        self.last = torch.nn.functional.mse_loss(self.layer(inputs), target)
        return self.last

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def main() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    lightning.seed_everything(0, verbose=False)
    net = Net()
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(net, DataLoader(Slow(), batch_size=8, shuffle=True, num_workers=1, persistent_workers=True))
    print(f"loss {net.last.item()!r}")


if __name__ == "__main__":
    main()
