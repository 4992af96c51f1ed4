#!/usr/bin/env python3
"""Fold the output of `perf script` and draw it as a flame graph: flame.py SCRIPT RESULT > SVG.

Width is time on the CPU, the deepest frame is on top; click a frame to zoom, the bottom one to zoom
out, hover to read. Also prints the heaviest functions to standard error. Used by flame.sh.
Invariant: the width of a frame is the sum of its children and of its own samples.
"""

from __future__ import annotations

import collections
import html
import json
import re
import sys

WIDTH, ROW, TOP = 1200, 17, 64
HIDDEN = 0.0008  # frames narrower than this share are left out
FRAME = re.compile(r"^\s+[0-9a-f]+ (.*?)(?:\+0x[0-9a-f]+)? \((.*)\)$")


COMPILER_SUFFIX = re.compile(r"\.(constprop|isra|part|cold|lto_priv)(\.\d+)*")


class Node:
    __slots__ = ("name", "kind", "total", "own", "children")

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind, self.total, self.own = name, kind, 0, 0
        self.children: dict[str, Node] = {}


def kind_of(symbol: str, module: str) -> str:
    if "kernel" in module or module.startswith("["):
        return "kernel"
    if "yardmaster" in module or "yard-" in module:
        plain = COMPILER_SUFFIX.sub("", symbol)  # gcc's clones have dots in their names as well
        return "swift" if "(" in plain or "." in plain or plain.startswith("$s") else "own"
    return "library"


def stacks(path: str):
    """Yields one list of (symbol, kind), outermost first, for each sample."""
    stack: list[tuple[str, str]] = []
    with open(path, errors="replace") as lines:
        for line in lines:
            match = FRAME.match(line.rstrip("\n"))
            if match:
                symbol, module = match.groups()
                kind = kind_of(symbol, module)
                if symbol == "[unknown]":
                    symbol = f"[{module.rsplit('/', 1)[-1].strip('[]')}]"
                stack.append((symbol, kind))
            elif stack:
                yield stack[::-1]
                stack = []
    if stack:
        yield stack[::-1]


def fold(path: str) -> tuple[Node, dict[str, int]]:
    root, own = Node("all", "own"), collections.Counter()
    for stack in stacks(path):
        node = root
        root.total += 1
        for symbol, kind in stack:
            node = node.children.setdefault(symbol, Node(symbol, kind))
            node.total += 1
        node.own += 1
        own[stack[-1][0]] += 1
    return root, own


def boxes(node: Node, x: float, depth: int, whole: int, out: list) -> int:
    """Collects (x, depth, share, node) and returns the greatest depth."""
    deepest = depth
    out.append((x, depth, node.total / whole, node))
    for child in sorted(node.children.values(), key=lambda one: one.name):
        if child.total / whole >= HIDDEN:
            deepest = max(deepest, boxes(child, x, depth + 1, whole, out))
        x += child.total / whole
    return deepest


SCRIPT = """
const boxes=[...document.querySelectorAll('g.f')];
const label=(g,w)=>{const t=g.querySelector('text'),n=g.dataset.n,c=Math.floor((w-6)/6.6);
 t.textContent=c<3?'':n.length<=c?n:n.slice(0,c-1)+'\\u2026';};
function zoom(g){const x0=+g.dataset.x,w0=+g.dataset.w,d0=+g.dataset.d;
 for(const b of boxes){const x=+b.dataset.x,w=+b.dataset.w,d=+b.dataset.d,r=b.querySelector('rect'),
 t=b.querySelector('text');let nx,nw;
 if(d<d0){const over=x<=x0+1e-9&&x+w>=x0+w0-1e-9;nx=0;nw=over?1:0;}
 else{nx=(x-x0)/w0;nw=(x<x0-1e-9||x+w>x0+w0+1e-9)?0:w/w0;}
 b.style.display=nw*1200<0.4?'none':'';r.setAttribute('x',nx*1200);
 r.setAttribute('width',Math.max(nw*1200-0.6,0));t.setAttribute('x',nx*1200+4);label(b,nw*1200);}}
for(const b of boxes)b.addEventListener('click',()=>zoom(b));
zoom(boxes[0]);
"""

STYLE = """
svg{background:#fbfbf9}text{font:11.5px ui-monospace,"DejaVu Sans Mono",monospace;fill:#16171a;
pointer-events:none}.title{font:600 17px system-ui,"DejaVu Sans",sans-serif}
.note{font:12px system-ui,"DejaVu Sans",sans-serif}g.f{cursor:pointer}g.f:hover rect{stroke:#16171a}
.swift rect{fill:#f4a259}.own rect{fill:#f6c667}.library rect{fill:#9fc5a8}.kernel rect{fill:#a9bfe0}
@media (prefers-color-scheme:dark){svg{background:#131416}.title,.note{fill:#ececea}}
"""


def draw(root: Node, result: dict) -> str:
    found: list = []
    deepest = boxes(root, 0.0, 0, max(root.total, 1), found)
    height = TOP + (deepest + 1) * ROW + 12
    rate = result.get("tasks_per_s", 0)
    note = (f"{root.total:,} samples; {rate:,.0f} tasks/s, "
            f"{result.get('cpu_us_per_task', 0):.2f} us CPU a task while sampled. "
            "orange: Swift, yellow: own C, green: libraries, blue: kernel")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="4" y="24">CPU of {html.escape(result.get("name", "?"))}, '
        f'{result.get("parameters", {}).get("in_flight", "?")} in flight</text>',
        f'<text class="note" x="4" y="44">{html.escape(note)}</text>',
    ]
    for x, depth, share, node in found:
        y = height - 10 - (depth + 1) * ROW
        name = html.escape(node.name, quote=True)
        parts.append(
            f'<g class="f {node.kind}" data-x="{x:.6f}" data-w="{share:.6f}" data-d="{depth}" '
            f'data-n="{name}"><title>{name}: {share:.2%}, itself '
            f'{node.own / max(root.total, 1):.2%}</title>'
            f'<rect x="{x * WIDTH:.2f}" y="{y}" width="{max(share * WIDTH - 0.6, 0):.2f}" '
            f'height="{ROW - 1}" rx="2"/><text x="{x * WIDTH + 4:.2f}" y="{y + 12}"></text></g>'
        )
    parts.append(f"<script><![CDATA[{SCRIPT}]]></script></svg>")
    return "\n".join(parts)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    root, own = fold(sys.argv[1])
    if root.total == 0:
        print("flame.py: perf took no samples", file=sys.stderr)
        return 1
    try:
        result = json.load(open(sys.argv[2]))
    except (OSError, json.JSONDecodeError):
        result = {}
    print(draw(root, result))
    print("share  function", file=sys.stderr)
    for name, count in collections.Counter(own).most_common(15):
        print(f"{count / root.total:6.1%} {name[:100]}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
