// What Bokeh draws: this fills the sources that the page's figure names.
const HUES = ["#4269d0", "#e8930c", "#f0594a", "#33a9a0", "#3ca951",
              "#e86aa0", "#a463f2", "#5fa0e8", "#9c6b4e", "#8b8f98"];

async function makeDrawing(item, data, words) {
  const views = await Bokeh.embed.embed_item(item, "figure");
  const plot = views.roots[0].model;
  while (!plot.inner_width || !plot.inner_height) await new Promise(requestAnimationFrame);
  const [dots, lines, lit, labels, litLabels] = ["dots", "lines", "lit", "labels", "lit_labels"]
    .map((name) => plot.document.get_model_by_name(name));
  const everything = [...data.x.keys()];
  const hue = (i) => HUES[data.groups[i] % HUES.length];
  // A word seen more often has a larger dot: its size falls with the logarithm of its rank.
  const last = Math.log(everything.reduce((most, i) => Math.max(most, data.ranks[i]), 1) + 10);
  const size = (i) => 5 + 6 * (1 - Math.log(data.ranks[i] + 10) / last);
  const at = (members) => ({ x: members.map((i) => data.x[i]), y: members.map((i) => data.y[i]) });

  const view = makeView(plot, data);
  const beginLabels = makeLabelPlacer(view, (i) => size(i) / 2, words);
  let state = { word: null, group: null, near: [] };
  const litWords = () => state.word === null ? [] : [state.word, ...state.near.map(([j]) => j)];

  function drawDots() {
    const alpha = (i) => state.word !== null ? 0.22
      : state.group !== null && data.groups[i] !== state.group ? 0.12 : 0.8;
    dots.data = { ...at(everything), size: everything.map(size), color: everything.map(hue),
                  alpha: everything.map(alpha) };
    const members = litWords().reverse(); // the chosen word last, on top
    const chosen = (i) => i === state.word;
    lit.data = {
      ...at(members), color: members.map(hue),
      size: members.map((i) => size(i) + (chosen(i) ? 8 : 3)),
      ring: members.map((i) => theme.colour(chosen(i) ? "ink" : "paper")),
    };
    const { near, word } = state;
    lines.data = {
      x0: near.map(() => data.x[word]), y0: near.map(() => data.y[word]),
      x1: near.map(([j]) => data.x[j]), y1: near.map(([j]) => data.y[j]),
      color: near.map(() => theme.colour("accent")),
      width: near.map(([, cosine]) => 0.75 + 2.5 * Math.max(cosine, 0)),
    };
    drawLabels();
  }
  function drawLabels() {
    const placer = beginLabels();
    const fill = (source, placed) => {
      source.data = {
        ...at(placed.map(([i]) => i)), text: placed.map(([i]) => words[i]),
        dx: placed.map(([, spot]) => spot[0]), dy: placed.map(([, spot]) => spot[1]),
        color: placed.map(() => theme.colour("ink")), halo: placed.map(() => theme.colour("paper")),
      };
    };
    placer.avoid(litWords());
    fill(litLabels, placer.place(litWords(), true));
    const others = state.word !== null ? []
      : everything.filter((i) => state.group === null || data.groups[i] === state.group);
    fill(labels, placer.place(others, false));
  }

  let waiting = false; // a range tells of its start and of its end: label once for both
  view.follow(() => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; drawLabels(); });
  });
  theme.follow(drawDots);

  // The word nearest to a pointer; a lit word wins over a dim one that lies about as near.
  function wordAt(event, reach) {
    const box = document.getElementById("figure").getBoundingClientRect();
    const members = new Set(litWords());
    let best = null, least = reach ** 2;
    for (const i of everything) {
      const [x, y] = view.toScreen(i);
      const apart = (x + box.left - event.clientX) ** 2 + (y + box.top - event.clientY) ** 2;
      const counted = members.has(i) ? apart / 2 : apart;
      if (counted < least) [best, least] = [i, counted];
    }
    return best;
  }
  return {
    view, wordAt, litWords,
    fitAll: (animated) => view.fit(everything, animated),
    show: (next) => { state = next; drawDots(); },
  };
}
