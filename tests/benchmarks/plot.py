"""The plot of how costs grow."""

# ruff: noqa: E501 - SVG

from __future__ import annotations

from html import escape
from math import log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.results import Growth

__all__ = ["plot"]

_COLOURS = (
    *("#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2"),
    *("#b279a2", "#9d755d", "#eeca3b", "#bab0ac", "#2f4b7c"),
    *("#ff9da6", "#8cd17d"),
)


def plot(growth: Growth) -> str:
    """Return an SVG: units on the x axis, cost of one on the y axis, both logarithmic."""
    costs = [point.cost for points in growth.values() for point in points] or [1.0]
    sizes = [point.size for points in growth.values() for point in points] or [1]
    low, high = log10(min(costs)) - 0.2, log10(max(costs)) + 0.2
    left, right = log10(min(sizes)), max(log10(max(sizes)), log10(min(sizes)) + 1)

    def x(size: float) -> float:
        return 60 + (log10(size) - left) / (right - left) * 460

    def y(cost: float) -> float:
        return 20 + (high - log10(cost)) / (high - low) * 300

    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 370" font-family="sans-serif" font-size="12">',
        '<rect width="820" height="370" fill="white"/>',
    ]
    for power in range(-2, 5):
        if low <= power <= high:
            level = y(10.0**power)
            out.append(f'<line x1="60" y1="{level:.1f}" x2="520" y2="{level:.1f}" stroke="#ddd"/>')
            out.append(f'<text x="52" y="{level + 4:.1f}" text-anchor="end">{10.0**power:g} us</text>')
    out += [
        f'<text x="{x(10**power):.1f}" y="340" text-anchor="middle">{10**power:,}</text>'
        for power in range(1, 8)
        if left <= power <= right
    ]
    out.append('<text x="290" y="362" text-anchor="middle">units of work in one run</text>')
    for index, (name, points) in enumerate(growth.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(f"{x(point.size):.1f},{y(point.cost):.1f}" for point in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [
            f'<circle cx="{x(point.size):.1f}" cy="{y(point.cost):.1f}" r="3" fill="{colour}"/>'
            for point in points
        ]
        out.append(f'<rect x="545" y="{25 + 22 * index}" width="12" height="12" fill="{colour}"/>')
        out.append(f'<text x="563" y="{35 + 22 * index}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])
