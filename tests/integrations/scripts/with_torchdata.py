"""torchdata's StatefulDataLoader, whose iterators and workers are its own."""

import torch
from slow_data import Slow
from torchdata.stateful_dataloader import StatefulDataLoader


def main() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = StatefulDataLoader(Slow(), batch_size=8, shuffle=True, num_workers=1)
    for _ in range(2):
        for inputs, target in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(inputs), target)
            loss.backward()
            optimizer.step()
    print(f"loss {loss.item()!r}")


if __name__ == "__main__":
    main()
