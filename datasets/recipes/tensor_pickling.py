"""Pickling a batch apart from its tensors, so that they can be sent in another way; pickle knows its containers."""

import io
import pickle
from collections.abc import Sequence
from multiprocessing.reduction import ForkingPickler
from typing import IO, Any

import torch
from torch import Tensor


class _TensorRemover(ForkingPickler):
    """A pickler that leaves the dense tensors out of a batch and lists them; their places are numbered.

    It knows every container that pickle knows; of a sparse tensor, the dense ones that it consists of are left out.
    """

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.tensors: list[Tensor] = []

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not Tensor or not _can_be_a_view(obj):
            return NotImplemented  # as torch sends it; a subclass of Tensor is more than its values
        if obj.layout is not torch.strided:
            return obj.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        self.tensors.append(obj)
        return _numbered, (len(self.tensors) - 1,)


def _can_be_a_view(tensor: Tensor) -> bool:
    """Return whether `tensor`, or each part of it, can be a view of other memory; a nested one takes all of that."""
    return tensor.device.type == "cpu" and not (tensor.is_quantized or tensor.requires_grad or tensor.is_nested)


def _numbered(number: int) -> Tensor:
    """Stand in a pickle for the tensor of that number; `_TensorInserter` puts it there."""
    raise RuntimeError(f"tensor {number} of a batch was read without the others")


class _TensorInserter(pickle.Unpickler):
    """An unpickler that puts tensors in the places that a `_TensorRemover` has numbered."""

    def __init__(self, file: IO[bytes], tensors: Sequence[Tensor]) -> None:
        super().__init__(file)
        self._tensors = tensors

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) == (__name__, _numbered.__name__):
            return self._tensors.__getitem__
        return super().find_class(module_name, global_name)


def without_tensors(batch: Any) -> tuple[bytes, list[Tensor]]:
    """Return the pickle of `batch` without its dense tensors, and these."""
    file = io.BytesIO()
    remover = _TensorRemover(file)
    remover.dump(batch)
    return file.getvalue(), remover.tensors


def with_tensors(rest: bytes, tensors: Sequence[Tensor]) -> Any:
    """Return the batch that `without_tensors` took apart."""
    return _TensorInserter(io.BytesIO(rest), tensors).load()
