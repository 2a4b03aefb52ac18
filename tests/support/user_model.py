"""A user's model, to be added to the source of a module that imports torch: rows of 3 numbers, 2 classes."""

USER_MODEL = """
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, rows):
        return self.layer(rows)
"""
