// Where the peers stand: oneself in the middle, the others on ellipses around, evenly along each.
// Pure.

const spacings = [104, 84, 66, 50, 38, 28, 20]; // Pixels between neighbours: as wide as they fit.
const labelled = 50; // Names are shown down to this spacing.
const margin = { x: 58, top: 40, bottom: 52 };
const narrow = { below: 480, x: 24 }; // A phone.

const cells = { least: 13, most: 24, ofSpacing: 1 / 12 }; // A slot, in pixels: the fewer peers, the larger.
const longest = 1.9; // An ellipse's width to its height.

const steps = 240;

// `n` points at even distances along an ellipse, from its left end.
function alongEllipse(n, rx, ry, turn) {
  const points = Array.from({ length: steps + 1 }, (_, i) => {
    const angle = Math.PI + (2 * Math.PI * i) / steps;
    return { x: rx * Math.cos(angle), y: ry * Math.sin(angle) };
  });
  const lengths = [0];
  for (let i = 1; i <= steps; ++i)
    lengths.push(lengths[i - 1] + Math.hypot(points[i].x - points[i - 1].x, points[i].y - points[i - 1].y));
  const total = lengths[steps];
  return Array.from({ length: n }, (_, i) => {
    const at = (((i + turn) / n) * total) % total;
    return points[
      Math.max(
        0,
        lengths.findIndex((length) => length >= at - 1e-9),
      )
    ];
  });
}

const perimeter = (rx, ry) => 2 * Math.PI * Math.sqrt((rx * rx + ry * ry) / 2);

// How many go onto each ring, from the inside; nothing where so wide a spacing has no room.
function dealOut(n, rx, ry, spacing) {
  const rings = Math.max(1, Math.floor(Math.min(rx, ry) / Math.max(spacing, 60)));
  for (let used = 1; used <= rings; ++used) {
    const room = Array.from({ length: used }, (_, i) =>
      Math.floor((perimeter(rx, ry) * (i + 1)) / used / spacing),
    );
    const all = room.reduce((sum, places) => sum + places, 0);
    if (all < n) continue;
    const dealt = room.map((places) => Math.floor((n * places) / all));
    for (let i = used - 1, left = n - dealt.reduce((a, b) => a + b, 0); left > 0; i = (i + used - 1) % used)
      if (dealt[i] < room[i]) (++dealt[i], --left);
    return dealt;
  }
  return null;
}

export function layout(others, width, height) {
  const centre = { x: width / 2, y: margin.top + (height - margin.top - margin.bottom) / 2 };
  const ry = Math.max(40, (height - margin.top - margin.bottom) / 2);
  const rx = Math.min(longest * ry, Math.max(40, width / 2 - (width < narrow.below ? narrow.x : margin.x)));
  let spacing = spacings.at(-1),
    dealt = null;
  for (const wide of spacings) {
    dealt = dealOut(others, rx, ry, wide);
    if (dealt) {
      spacing = wide;
      break;
    }
  }
  dealt ??= [others]; // Past that they overlap.
  const points = dealt.flatMap((n, i) => {
    const part = (i + 1) / dealt.length;
    return alongEllipse(n, rx * part, ry * part, i % 2 ? 0 : (dealt.length - 1 - i) * 0.5);
  });
  return {
    self: centre,
    others: points.map(({ x, y }) => ({ x: centre.x + x, y: centre.y + y })),
    labels: spacing >= labelled,
    tile: Math.min(64, spacing * (others < 9 ? 0.8 : 0.52)),
    cell: Math.min(cells.most, Math.max(cells.least, (perimeter(rx, ry) / others) * cells.ofSpacing)),
  };
}
