"""A plain loop with automatic mixed precision and a compiled model."""

import torch
from slow_data import Slow
from torch.utils.data import DataLoader


def main() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 1)
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(Slow(), batch_size=8, shuffle=True, num_workers=1)
    for _ in range(2):
        for inputs, target in loader:
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = torch.nn.functional.mse_loss(compiled(inputs), target)
            loss.backward()
            optimizer.step()
        print(f"loss {loss.item()!r}")


if __name__ == "__main__":
    main()
