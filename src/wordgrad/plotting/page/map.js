// The page of a map: what is chosen, the panel beside it, pointers and keys.
(async () => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const size = data.x.length; // words on the map; those after them are only neighbours
  const REACH = { click: 22, hover: 14 }; // pixels

  // Spaces and control characters get a sign, so that no word is invisible.
  const sign = (c) => c === " " || c === "\u00a0" ? "␣"
    : c < " " ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : "\ufffd";
  const words = data.words.map((word) =>
    word.replace(/[\u0000-\u0020\u007f-\u00a0\u2028\u2029]/g, sign) || "(empty)");

  const drawing = await makeDrawing(JSON.parse($("item").textContent), data, words);
  const { view } = drawing;
  const state = { word: null, group: null, among: "onMap" };
  const neighbours = () => state.word === null ? [] : data[state.among][state.word];
  const number = (n) => n.toLocaleString("en");
  const facts = (i) => `Rank ${number(data.ranks[i] + 1)}`
    + (data.counts && i < size ? `, seen ${number(data.counts[i])} times` : "");
  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  // ------------------------------------------------------------------ choosing
  // `move`: "always" or "if needed" to bring the word and its neighbours into view.
  function choose(i, move) {
    state.word = i;
    if (i !== null) state.group = null;
    draw();
    if (move && (move === "always" || !drawing.litWords().every(view.shows)))
      view.fit(drawing.litWords());
    document.querySelector("aside").scrollTop = 0;
    const well = i !== null && data.words[i].isWellFormed?.() !== false; // others have no address
    try {
      history.replaceState(null, "", well ? `#${encodeURIComponent(data.words[i])}` : location.pathname);
    } catch { /* a page that has no address of its own */ }
  }
  function draw() {
    const near = neighbours().filter(([j]) => j < size);
    drawing.show({ word: state.word, group: state.group, near });
    drawPanel();
  }

  // ------------------------------------------------------------------ the panel
  function drawPanel() {
    $("chosen").hidden = state.word === null;
    for (const button of $("groups").querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(Number(button.dataset.group) === state.group));
    if (state.word === null) return;
    $("word").textContent = words[state.word];
    $("facts").textContent = facts(state.word);
    $("among").hidden = data.inAll === null;
    for (const button of $("among").children)
      button.setAttribute("aria-pressed", String(button.dataset.among === state.among));
    $("neighbours").replaceChildren(...neighbours().map(neighbourItem));
  }
  function neighbourItem([j, cosine]) {
    const item = element("li"), bar = element("span", undefined, "bar");
    const row = j < size ? element("button") : element("span", undefined, "row");
    bar.style.width = `${Math.max(cosine, 0) * 85}%`;
    row.append(element("span", words[j], "word"), element("span", cosine.toFixed(3), "cosine"), bar);
    if (j < size) {
      row.type = "button";
      row.addEventListener("click", () => choose(j, "if needed"));
    } else {
      row.title = "Not on this map";
    }
    item.append(row);
    return item;
  }
  function groupItem(names, group) {
    const item = element("li"), button = element("button"), mark = element("i");
    button.type = "button";
    button.dataset.group = group;
    mark.style.background = HUES[group % HUES.length];
    button.title = names.join(", ");
    button.append(mark, element("span", names.join(", ")),
      element("small", number(data.groups.filter((g) => g === group).length)));
    button.addEventListener("click", () => {
      state.group = state.group === group ? null : group;
      choose(null);
    });
    item.append(button);
    return item;
  }
  $("groups").append(...data.groupNames.map(groupItem));
  $("among").children[1].textContent = `Among all ${number(data.vocabulary)}`;
  $("among").addEventListener("click", (event) => {
    if (!event.target.dataset.among) return;
    state.among = event.target.dataset.among;
    draw();
  });
  $("clear").addEventListener("click", () => choose(null));

  // ------------------------------------------------------------------ pointers
  let press = null; // Bokeh moves the map when it is dragged: only a press that stays is a click
  $("figure").addEventListener("pointerdown", (event) => {
    press = event.isPrimary && event.button === 0 ? { x: event.clientX, y: event.clientY } : null;
  }, true);
  $("figure").addEventListener("pointerup", (event) => {
    if (!press || Math.hypot(event.clientX - press.x, event.clientY - press.y) > 6) return;
    choose(drawing.wordAt(event, REACH.click));
  }, true);
  $("figure").addEventListener("pointermove", (event) => {
    const points = event.pointerType === "mouse" && !event.buttons;
    const i = points ? drawing.wordAt(event, REACH.hover) : null;
    $("stage").classList.toggle("pointing", i !== null);
    $("tip").hidden = i === null;
    if (i === null) return;
    $("tip").replaceChildren(element("b", words[i]), element("small", facts(i)));
    const [x, y] = view.toScreen(i), { offsetWidth: w, offsetHeight: h } = $("tip");
    $("tip").style.left = `${Math.max(Math.min(x + 12, view.frame().w - w - 8), 4)}px`;
    $("tip").style.top = `${y > h + 16 ? y - h - 10 : y + 14}px`;
  }, true);
  $("figure").addEventListener("pointerleave", () => { $("tip").hidden = true; });
  const zooms = {
    in: () => view.zoom(1 / 1.6), out: () => view.zoom(1.6), all: () => drawing.fitAll(true),
  };
  document.querySelector(".zoom").addEventListener("click", (event) =>
    zooms[event.target.dataset.zoom]?.());

  // ------------------------------------------------------------------ keys
  const search = makeSearch(data.words.slice(0, size), words, (i) => choose(i, "always"));
  const keys = {
    ArrowLeft: () => view.shift(-1, 0), ArrowRight: () => view.shift(1, 0),
    ArrowUp: () => view.shift(0, 1), ArrowDown: () => view.shift(0, -1),
    "+": zooms.in, "=": zooms.in, "-": zooms.out, "0": zooms.all,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return choose(null);
    if (search.has(event.target)) return;
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
    } else if (keys[event.key] && [$("stage"), document.body].includes(event.target)) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  // ------------------------------------------------------------------ begin
  drawing.fitAll(false);
  draw();
  let asked = "";
  try { asked = decodeURIComponent(location.hash.slice(1)); } catch { /* not a word */ }
  const linked = asked ? data.words.slice(0, size).indexOf(asked) : -1;
  if (linked >= 0) choose(linked, "always");
  document.documentElement.dataset.ready = "true";
})();
