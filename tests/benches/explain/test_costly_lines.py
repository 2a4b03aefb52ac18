"""Lines that cost: which line is looked at, and what is advised."""

from collections import Counter

import pytest

from loaderbench.benches.explain import costly_lines as module
from loaderbench.benches.explain.costly_lines import FEWEST_INTERRUPTS, advice_on, costly_lines

HERE = __file__


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("return torch.tensor(self.rows[index])", "element by element"),
        ("row = self.frame.iloc[index]", "to_numpy()"),
        ("label = frame.loc[index, 'label']", "to_numpy()"),
        ("image = Image.open(path)", "decode"),
        ("return torch.from_numpy(np.array(image))", "of an image, it decodes"),
        ("with open(path) as file:", "keep the file open"),
        ("return self.tensors[index]", ""),
        ("torch.tensors = reopen(path)", ""),
    ],
)
def test_only_what_is_known_to_be_slow_has_advice(line: str, words: str) -> None:
    advice = advice_on(line)
    assert (words in advice) if words else advice == ""


def test_a_line_is_named_where_it_takes_a_notable_share_of_enough_looks() -> None:
    slow = next(number for number, line in enumerate(open(HERE), 1) if "torch.tensor(self" in line)
    lines = Counter({(HERE, slow): FEWEST_INTERRUPTS, (HERE, 1): FEWEST_INTERRUPTS // 10, ("", 0): 5})
    (observation,) = module._observations(lines)
    assert observation.evidence.startswith(f"{HERE}:{slow} takes")
    assert list(module._observations(Counter({(HERE, slow): FEWEST_INTERRUPTS - 1}))) == []


def test_looking_ends_with_the_samples_and_leaves_no_timer() -> None:
    assert costly_lines([1, 2, 3], most_s=5.0) == []
    assert module.signal.getitimer(module.signal.ITIMER_REAL) == (0.0, 0.0)
