"""A loop whose loader accelerate has prepared."""

import torch
from accelerate import Accelerator
from slow_data import Slow
from torch.utils.data import DataLoader


def main() -> None:
    torch.manual_seed(0)
    accelerator = Accelerator(cpu=True)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(Slow(), batch_size=8, shuffle=True, num_workers=1)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    for _ in range(2):
        for inputs, target in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(inputs), target)
            accelerator.backward(loss)
            optimizer.step()
    print(f"loss {loss.item()!r}")


if __name__ == "__main__":
    main()
