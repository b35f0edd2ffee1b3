// Where labels go so that none meets another. Boxes that are taken are kept in a grid of cells, so
// that thousands of words take milliseconds.
const LABEL = { height: 16, font: "12px system-ui, sans-serif", apart: [14, 5], most: 400 };

function makeLabelPlacer(view, radius, words) {
  const pen = document.createElement("canvas").getContext("2d");
  const widths = new Map();
  function width(text, bold) {
    const key = (bold ? "b" : "n") + text;
    if (!widths.has(key)) {
      pen.font = (bold ? "bold " : "") + LABEL.font;
      widths.set(key, pen.measureText(text).width);
    }
    return widths.get(key);
  }

  return function begin() {
    const { w, h } = view.frame(), grid = new Map(), cell = 64, half = LABEL.height / 2;
    function* cells([l, t, r, b]) {
      for (let x = Math.floor(l / cell); x <= Math.floor(r / cell); x++)
        for (let y = Math.floor(t / cell); y <= Math.floor(b / cell); y++) yield x * 4096 + y;
    }
    function free(box) {
      for (const key of cells(box))
        for (const [l, t, r, b] of grid.get(key) ?? [])
          if (box[0] < r && box[2] > l && box[1] < b && box[3] > t) return false;
      return true;
    }
    function take(box) {
      for (const key of cells(box)) grid.set(key, [...(grid.get(key) ?? []), box]);
    }
    function spots(near, long, must) {
      const [right, left] = [near, -near - long];
      const close = [[right, 0], [left, 0], [-long / 2, -near - half], [-long / 2, near + half],
                     [right, -half - 2], [right, half + 2], [left, -half - 2], [left, half + 2]];
      if (!must) return close;
      // Rather farther away than over another.
      const far = [1.2, 2.4, 3.6, 4.8].map((lines) => lines * LABEL.height);
      return [...close, ...far.flatMap((d) => [[right, d], [right, -d], [left, d], [left, -d]])];
    }
    function place(i, bold) {
      const [x, y] = view.toScreen(i), long = width(words[i], bold);
      if (x < 0 || y < 0 || x > w || y > h) return null;
      const [ax, ay] = bold ? [3, 0] : LABEL.apart;
      const tried = spots(radius(i) + (bold ? 5 : 3), long, bold);
      for (const [dx, dy] of tried) {
        const [l, t, r, b] = [x + dx, y + dy - half, x + dx + long, y + dy + half];
        if (l < 0 || t < 0 || r > w || b > h) continue;
        const box = [l - ax / 2, t - ay / 2, r + ax / 2, b + ay / 2];
        if (!free(box)) continue;
        take(box);
        return [dx, dy];
      }
      return bold ? tried[0] : null;
    }
    return {
      // Keep labels off these points.
      avoid: (members) => members.forEach((i) => {
        const [x, y] = view.toScreen(i);
        take([x - 5, y - 5, x + 5, y + 5]);
      }),
      // [word, offset] for each word that finds room, the first words first; bold ones always do.
      place: (members, bold) => {
        const placed = [];
        for (const i of members) {
          const spot = place(i, bold);
          if (spot) placed.push([i, spot]);
          if (placed.length === LABEL.most) break;
        }
        return placed;
      },
    };
  };
}
