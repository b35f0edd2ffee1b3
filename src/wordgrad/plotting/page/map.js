// The map: Bokeh draws what stands in its named sources, this script decides what stands in them.
(async () => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const size = data.x.length; // words on the map; those after them are only neighbours
  const HUES = ["#4269d0", "#e8930c", "#f0594a", "#33a9a0", "#3ca951",
                "#e86aa0", "#a463f2", "#5fa0e8", "#9c6b4e", "#8b8f98"];
  const LABEL_HEIGHT = 16, APART = [14, 5], MOST_LABELS = 400, REACH = 22;
  const $ = (id) => document.getElementById(id);
  const hue = (i) => HUES[data.groups[i] % HUES.length];
  const shown = (word) => // a word of white space or control characters must still be seen
    word.replace(/[\u0000-\u0020\u007f-\u00a0\u2028\u2029]/g,
      (c) => c === " " || c === "\u00a0" ? "␣" : c < " " ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : "�") || "(empty)";
  const words = data.words.map(shown);
  // A word seen more often has a larger dot: radius by the logarithm of its rank.
  const top = Math.log(data.ranks.slice(0, size).reduce((a, b) => Math.max(a, b), 1) + 10);
  const dot = (i) => 5 + 6 * (1 - Math.log(data.ranks[i] + 10) / top);

  const state = { word: null, group: null, where: "onMap", hover: null };

  // ------------------------------------------------------------------ Bokeh
  const views = await Bokeh.embed.embed_item(JSON.parse($("item").textContent), "figure");
  const plot = views.roots[0].model;
  const source = (name) => plot.document.get_model_by_name(name);
  const [dots, lines, lit, labels, litLabels] =
    ["dots", "lines", "lit", "labels", "lit_labels"].map(source);
  const [xs, ys] = [plot.x_range, plot.y_range];
  const measure = document.createElement("canvas").getContext("2d");
  const widths = new Map();
  const width = (text, bold) => {
    const key = (bold ? "b" : "n") + text;
    if (!widths.has(key)) {
      measure.font = `${bold ? "bold " : ""}12px system-ui, sans-serif`;
      widths.set(key, measure.measureText(text).width);
    }
    return widths.get(key);
  };

  const frame = () => ({ w: plot.inner_width || 1, h: plot.inner_height || 1 });
  const toScreen = (i) => {
    const { w, h } = frame();
    return [(data.x[i] - xs.start) / (xs.end - xs.start) * w,
            (ys.end - data.y[i]) / (ys.end - ys.start) * h];
  };

  // ------------------------------------------------------------------ where we look
  let moving = 0;
  function look(x, y, unitsAPixel, animated = true) {
    const { w, h } = frame();
    const [x0, y0, u0] = [(xs.start + xs.end) / 2, (ys.start + ys.end) / 2, (xs.end - xs.start) / w];
    const set = (cx, cy, u) => {
      xs.setv({ start: cx - u * w / 2, end: cx + u * w / 2 });
      ys.setv({ start: cy - u * h / 2, end: cy + u * h / 2 });
    };
    cancelAnimationFrame(moving);
    if (!animated || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      return set(x, y, unitsAPixel);
    }
    const begin = performance.now();
    const step = (now) => {
      const t = Math.min((now - begin) / 350, 1), s = t * t * (3 - 2 * t);
      set(x0 + (x - x0) * s, y0 + (y - y0) * s, u0 * (unitsAPixel / u0) ** s);
      if (t < 1) moving = requestAnimationFrame(step);
    };
    moving = requestAnimationFrame(step);
  }
  function fit(members, { animated = true, closest = 0 } = {}) {
    const { w, h } = frame(), range = (v) => members.reduce(
      ([a, b], i) => [Math.min(a, v[i]), Math.max(b, v[i])], [Infinity, -Infinity]);
    const [x0, x1] = range(data.x), [y0, y1] = range(data.y);
    const room = (pixels) => Math.max(pixels - 80, pixels * 0.7);
    const units = Math.max((x1 - x0) / room(w), (y1 - y0) / (room(h)), closest, 1e-6);
    look((x0 + x1) / 2, (y0 + y1) / 2, units, animated);
  }
  const everything = [...Array(size).keys()];
  const fitAll = (animated) => fit(everything, { animated });
  const zoom = (factor) => look((xs.start + xs.end) / 2, (ys.start + ys.end) / 2,
    (xs.end - xs.start) / frame().w * factor);
  const inView = (i) => {
    const [x, y] = toScreen(i), { w, h } = frame();
    return x > 20 && y > 20 && x < w - 20 && y < h - 20;
  };

  // ------------------------------------------------------------------ what is lit
  const neighbours = (i) => data[state.where][i];
  const litMembers = () => {
    if (state.word === null) return [];
    return [state.word, ...neighbours(state.word).map(([j]) => j).filter((j) => j < size)];
  };
  function drawDots() {
    const dim = (i) => state.word !== null ? 0.22
      : state.group !== null && data.groups[i] !== state.group ? 0.12 : 0.8;
    dots.data = { x: data.x, y: data.y, size: everything.map(dot), color: everything.map(hue),
                  alpha: everything.map(dim) };
    const members = litMembers().reverse(); // the chosen word last, on top
    const chosen = (i) => i === state.word;
    lit.data = {
      x: members.map((i) => data.x[i]), y: members.map((i) => data.y[i]),
      size: members.map((i) => dot(i) + (chosen(i) ? 8 : 3)), color: members.map(hue),
      ring: members.map((i) => theme.colour(chosen(i) ? "ink" : "paper")),
    };
    const near = state.word === null ? [] : neighbours(state.word).filter(([j]) => j < size);
    lines.data = {
      x0: near.map(() => data.x[state.word]), y0: near.map(() => data.y[state.word]),
      x1: near.map(([j]) => data.x[j]), y1: near.map(([j]) => data.y[j]),
      color: near.map(() => theme.colour("accent")),
      width: near.map(([, cosine]) => 0.75 + 2.5 * Math.max(cosine, 0)),
    };
    drawLabels();
  }

  // Labels: the lit first, then by importance, each only where it meets no other. Boxes are kept in
  // a grid of cells, so that thousands of words take milliseconds.
  function drawLabels() {
    const { w, h } = frame(), cell = 64, grid = new Map();
    const cells = function* ([l, t, r, b]) {
      for (let x = Math.floor(l / cell); x <= Math.floor(r / cell); x++)
        for (let y = Math.floor(t / cell); y <= Math.floor(b / cell); y++) yield x * 4096 + y;
    };
    const free = (box) => {
      for (const key of cells(box))
        for (const [l, t, r, b] of grid.get(key) ?? [])
          if (box[0] < r && box[2] > l && box[1] < b && box[3] > t) return false;
      return true;
    };
    const take = (box) => {
      for (const key of cells(box)) grid.set(key, [...(grid.get(key) ?? []), box]);
    };
    const place = (i, bold, must) => {
      const [x, y] = toScreen(i), text = words[i], long = width(text, bold);
      if (x < 0 || y < 0 || x > w || y > h) return null;
      const near = dot(i) / 2 + (bold ? 6 : 3), half = LABEL_HEIGHT / 2;
      const spots = [[near, 0], [-near - long, 0], [-long / 2, -near - half], [-long / 2, near + half],
                     [near, -half - 2], [near, half + 2], [-near - long, -half - 2], [-near - long, half + 2]];
      if (must) // rather farther away than over another
        for (const far of [1.2, 2.4, 3.6, 4.8])
          spots.push([near, far * half * 2], [near, -far * half * 2],
                     [-near - long, far * half * 2], [-near - long, -far * half * 2]);
      const [ax, ay] = must ? [3, 0] : APART;
      for (const [dx, dy] of spots) {
        if (x + dx < 0 || x + dx + long > w || y + dy < half || y + dy + half > h) continue;
        const box = [x + dx - ax / 2, y + dy - half - ay / 2, x + dx + long + ax / 2, y + dy + half + ay / 2];
        if (!free(box)) continue;
        take(box);
        return [dx, dy];
      }
      return must ? spots[0] : null;
    };
    const fill = (target, chosen, colour) => {
      const halo = theme.colour("paper");
      target.data = {
        x: chosen.map(([i]) => data.x[i]), y: chosen.map(([i]) => data.y[i]),
        text: chosen.map(([i]) => words[i]), dx: chosen.map(([, s]) => s[0]),
        dy: chosen.map(([, s]) => s[1]), color: chosen.map(colour), halo: chosen.map(() => halo),
      };
    };
    const collect = (members, bold, must, most) => {
      const chosen = [];
      for (const i of members) {
        const spot = place(i, bold, must);
        if (spot) chosen.push([i, spot]);
        if (chosen.length === most) break;
      }
      return chosen;
    };
    const members = litMembers();
    members.forEach((i) => { const [x, y] = toScreen(i); take([x - 5, y - 5, x + 5, y + 5]); });
    fill(litLabels, collect(members, true, true), () => theme.colour("ink"));
    const others = state.word !== null ? []
      : everything.filter((i) => state.group === null || data.groups[i] === state.group);
    fill(labels, collect(others, false, false, MOST_LABELS), () => theme.colour("ink"));
  }

  // ------------------------------------------------------------------ the panel
  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  }
  const number = (n) => n.toLocaleString("en");
  const facts = (i) => `Rank ${number(data.ranks[i] + 1)}`
    + (data.counts && i < size ? `, seen ${number(data.counts[i])} times` : "");
  function drawPanel() {
    $("chosen").hidden = state.word === null;
    for (const button of $("groups").querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(Number(button.dataset.group) === state.group));
    if (state.word === null) return;
    $("word").textContent = words[state.word];
    $("facts").textContent = facts(state.word);
    $("where").hidden = data.inAll === null;
    for (const button of $("where").children)
      button.setAttribute("aria-pressed", String(button.dataset.where === state.where));
    $("neighbours").replaceChildren(...neighbours(state.word).map(([j, cosine]) => {
      const row = j < size ? element("button") : element("span", undefined, "row");
      const bar = element("span", undefined, "bar");
      bar.style.width = `${Math.max(cosine, 0) * 85}%`;
      row.append(element("span", words[j], "word"), element("span", cosine.toFixed(3), "cosine"), bar);
      if (j < size) { row.type = "button"; row.addEventListener("click", () => choose(j, { show: true })); }
      else row.title = "Not on this map";
      const item = element("li");
      item.append(row);
      return item;
    }));
  }
  function choose(i, { show = false } = {}) {
    state.word = i;
    if (i !== null) state.group = null;
    const hash = i === null ? "" : `#${encodeURIComponent(data.words[i].toWellFormed?.() ?? data.words[i])}`;
    try { history.replaceState(null, "", hash || location.pathname); } catch { /* a page without address */ }
    if (show && i !== null && (show === "closer" || !litMembers().every(inView)))
      fit(litMembers(), { closest: 1 / Math.max(frame().w, 1) });
    drawDots();
    drawPanel();
    document.querySelector("aside").scrollTop = 0;
  }

  data.groupNames.forEach((names, group) => {
    const button = element("button"), mark = element("i");
    button.type = "button";
    button.dataset.group = group;
    mark.style.background = HUES[group % HUES.length];
    button.append(mark, element("span", names.map(shown).join(", ")),
      element("small", number(data.groups.filter((g) => g === group).length)));
    button.addEventListener("click", () => {
      state.group = state.group === group ? null : group;
      choose(null);
    });
    const item = element("li");
    item.append(button);
    $("groups").append(item);
  });
  $("where").children[1].textContent = `Among all ${number(data.vocabulary)}`;
  $("where").addEventListener("click", (event) => {
    const where = event.target.dataset?.where;
    if (where) { state.where = where; drawDots(); drawPanel(); }
  });
  $("clear").addEventListener("click", () => choose(null));

  // ------------------------------------------------------------------ pointing
  function nearest(event, reach) {
    const box = $("figure").getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const members = litMembers();
    let best = null, least = reach ** 2;
    for (const i of everything) {
      const [x, y] = toScreen(i);
      // A lit word wins over a dim one that lies about as near.
      const d = ((x - px) ** 2 + (y - py) ** 2) * (members.includes(i) ? 0.5 : 1);
      if (d < least) [best, least] = [i, d];
    }
    return best;
  }
  let press = null;
  $("figure").addEventListener("pointerdown", (event) => {
    press = event.isPrimary ? { x: event.clientX, y: event.clientY, at: event.timeStamp } : null;
  }, true);
  $("figure").addEventListener("pointerup", (event) => {
    if (!press || Math.hypot(event.clientX - press.x, event.clientY - press.y) > 6) return;
    choose(nearest(event, REACH));
  }, true);
  function hover(event) {
    const i = event.pointerType === "mouse" && !event.buttons ? nearest(event, 14) : null;
    $("stage").classList.toggle("pointing", i !== null);
    $("tip").hidden = i === null;
    if (i === null) return;
    const [x, y] = toScreen(i), { w } = frame();
    $("tip").replaceChildren(element("b", words[i]), element("small", facts(i)));
    $("tip").style.left = `${Math.min(x + 12, w - $("tip").offsetWidth - 8)}px`;
    $("tip").style.top = `${y > 80 ? y - $("tip").offsetHeight - 10 : y + 14}px`;
  }
  $("figure").addEventListener("pointermove", hover, true);
  $("figure").addEventListener("pointerleave", () => { $("tip").hidden = true; });
  document.querySelector(".zoom").addEventListener("click", (event) => {
    const act = { in: () => zoom(1 / 1.6), out: () => zoom(1.6), all: () => fitAll(true) };
    act[event.target.dataset.zoom]?.();
  });

  // ------------------------------------------------------------------ searching
  const folded = data.words.slice(0, size).map((word) => word.toLowerCase());
  let found = [], active = 0;
  function suggest() {
    const asked = $("query").value.trim().toLowerCase();
    if (!asked) return close();
    const rank = (i) => folded[i] === asked ? 0 : folded[i].startsWith(asked) ? 1 : 2;
    found = everything.filter((i) => folded[i].includes(asked))
      .map((i) => [rank(i), i]).sort((a, b) => a[0] - b[0] || a[1] - b[1])
      .slice(0, 8).map(([, i]) => i);
    active = 0;
    $("suggestions").hidden = false;
    $("query").setAttribute("aria-expanded", "true");
    if (!found.length) {
      $("suggestions").replaceChildren(element("li", "No such word on this map", "none"));
    } else {
      $("suggestions").replaceChildren(...found.map((i, k) => {
        const item = element("li", words[i]);
        item.id = `suggestion-${k}`;
        item.setAttribute("role", "option");
        item.addEventListener("pointerdown", (event) => { event.preventDefault(); pick(k); });
        return item;
      }));
    }
    mark();
  }
  function mark() {
    [...$("suggestions").children].forEach((item, k) =>
      item.setAttribute("aria-selected", String(found.length > 0 && k === active)));
    if (found.length) $("query").setAttribute("aria-activedescendant", `suggestion-${active}`);
    else $("query").removeAttribute("aria-activedescendant");
  }
  function close() {
    found = [];
    $("suggestions").hidden = true;
    $("query").setAttribute("aria-expanded", "false");
    $("query").removeAttribute("aria-activedescendant");
  }
  function pick(k) {
    if (k >= found.length) return;
    const i = found[k];
    $("query").value = data.words[i];
    close();
    choose(i, { show: "closer" });
  }
  $("query").addEventListener("input", suggest);
  $("query").addEventListener("focus", () => $("query").select());
  $("query").addEventListener("blur", close);
  $("query").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      active = (active + step + found.length) % found.length;
      mark();
      event.preventDefault();
    } else if (event.key === "Escape" && !$("suggestions").hidden) {
      close();
      event.stopPropagation();
    }
  });
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!found.length) suggest();
    pick(active);
  });

  // ------------------------------------------------------------------ keys
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target === $("query");
    if (event.key === "Escape") choose(null);
    else if (event.key === "/" && !typing) { event.preventDefault(); $("query").focus(); }
    if (typing || event.target !== $("stage") && event.target !== document.body) return;
    const { w, h } = frame(), u = (xs.end - xs.start) / w, by = Math.min(w, h) / 5 * u;
    const shift = (dx, dy) => look((xs.start + xs.end) / 2 + dx, (ys.start + ys.end) / 2 + dy, u, false);
    const act = {
      ArrowLeft: () => shift(-by, 0), ArrowRight: () => shift(by, 0),
      ArrowUp: () => shift(0, by), ArrowDown: () => shift(0, -by),
      "+": () => zoom(1 / 1.6), "=": () => zoom(1 / 1.6), "-": () => zoom(1.6), "0": () => fitAll(true),
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  // ------------------------------------------------------------------ begin
  let waiting = false;
  const relabel = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; drawLabels(); });
  };
  for (const range of [xs, ys]) range.change.connect(relabel);
  let before = null;
  plot.properties.inner_width.change.connect(refit);
  plot.properties.inner_height.change.connect(refit);
  function refit() { // keep the scale equal on both axes when the window changes
    const { w, h } = frame();
    if (before === null || w < 2 || h < 2) return;
    const u = (xs.end - xs.start) / before.w;
    before = { w, h };
    look((xs.start + xs.end) / 2, (ys.start + ys.end) / 2, u, false);
  }
  theme.follow(drawDots);
  const ready = () => {
    if (!plot.inner_width || !plot.inner_height) return requestAnimationFrame(ready);
    before = frame();
    fitAll(false);
    drawDots();
    let asked = "";
    try { asked = decodeURIComponent(location.hash.slice(1)); } catch { /* not a word */ }
    const i = asked ? data.words.slice(0, size).indexOf(asked) : -1;
    if (i >= 0) choose(i, { show: true });
    document.documentElement.dataset.ready = "true";
  };
  ready();
})();
