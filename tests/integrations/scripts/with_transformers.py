"""transformers' Trainer, which makes the loader itself."""

import tempfile
from typing import Any

import torch
from slow_data import Slow
from transformers import Trainer, TrainingArguments


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def forward(self, inputs: Any, labels: Any) -> Any:
        outputs = self.layer(inputs)
        return {"loss": torch.nn.functional.mse_loss(outputs, labels), "logits": outputs}


def main() -> None:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, num_train_epochs=2, per_device_train_batch_size=8, dataloader_num_workers=1,
            save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True, logging_strategy="no", seed=0,
        )  # fmt: skip
        result = Trainer(model=Net(), args=arguments, train_dataset=Slow(("inputs", "labels"))).train()
    print(f"loss {result.training_loss!r}")


if __name__ == "__main__":
    main()
