"""Memory layouts as source text: the views that the suite hands to a backend, made in a script."""

from __future__ import annotations

from conformance.model.problem import Array

__all__ = ["layout_lines"]


def layout_lines(name: str, text: str, array: Array, layout: str) -> list[str]:
    """Lines that make ``name`` an array of NumPy with the values of ``text`` in a layout."""
    if layout == "contiguous" or array.size == 0 or (array.ndim == 0 and layout != "misaligned"):
        return _split(f"{name} = {text}")
    lines = _split(f"values = {text}")
    shape, size = array.shape, array.size
    if layout == "transposed":
        return [*lines, f'{name} = np.array(values, order="F")']
    if layout == "sliced":
        wide = (*shape[:-1], 2 * shape[-1])
        lines += [f"memory = np.zeros({wide}, values.dtype)", f"{name} = memory[..., 1::2]"]
    elif layout == "reversed":
        lines += [f"memory = np.zeros({shape}, values.dtype)", f"{name} = np.flip(memory)"]
    elif layout == "misaligned":
        lines += [f"memory = np.zeros({size + 2}, values.dtype)", f"{name} = memory[1 : {1 + size}].reshape({shape})"]
    elif len({array[i].tobytes() for i in range(len(array))}) == 1:
        lines.append(f"{name} = np.lib.stride_tricks.as_strided(values, strides=(0, *values.strides[1:]))")
        return lines
    else:
        return _split(f"{name} = {text}")
    garbage = "np.nan" if array.dtype.kind not in "iub" else "1" if array.dtype.kind == "b" else "99"
    return [*lines, f"memory[...] = {garbage}", f"{name}[...] = values"]


def _split(text: str) -> list[str]:
    return text.splitlines()
