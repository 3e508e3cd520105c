// Boxes as [left, top, right, bottom] in pixels of the source, and how a pointer or a key changes them.

export const SMALLEST = 2;

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
export const fromSides = ([x, y, w, h]) => [x, y, x + w, y + h];
export const toSides = ([a, b, c, d]) => [a, b, c - a, d - b].map((v) => Math.round(v * 100) / 100);
export const isLarge = (b) => Math.min(b[2] - b[0], b[3] - b[1]) >= SMALLEST;
const sorted = ([a, b, c, d]) => [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];

// which of the edges [left, top, right, bottom] a pointer at (x, y) takes; null where it is not on the box
export function grip(box, [x, y], reach) {
  if (!box) return null;
  const [left, top, right, bottom] = box;
  if (x < left - reach || x > right + reach || y < top - reach || y > bottom + reach) return null;
  const inX = Math.min(reach, (right - left) / 4), inY = Math.min(reach, (bottom - top) / 4);
  const edges = [x < left + inX, y < top + inY, x > right - inX, y > bottom - inY];
  return edges.some(Boolean) ? edges : [true, true, true, true];
}

export function cursor(edges) {
  if (!edges) return "crosshair";
  const [left, top, right, bottom] = edges;
  if (left && right) return "move";
  if ((left && top) || (right && bottom)) return "nwse-resize";
  if ((right && top) || (left && bottom)) return "nesw-resize";
  return left || right ? "ew-resize" : "ns-resize";
}

// the box whose `edges` are moved by (dx, dy), inside a frame of [width, height]
export function moved(edges, start, dx, dy, [width, height]) {
  if (edges.every(Boolean)) {
    dx = clamp(dx, Math.min(0, -start[0]), Math.max(0, width - start[2]));
    dy = clamp(dy, Math.min(0, -start[1]), Math.max(0, height - start[3]));
    return start.map((v, i) => v + (i % 2 ? dy : dx));
  }
  const limit = [width, height, width, height];
  return sorted(start.map((v, i) => (edges[i] ? clamp(v + (i % 2 ? dy : dx), 0, limit[i]) : v)));
}
