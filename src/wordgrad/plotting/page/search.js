// The search field: suggestions as one types, arrow keys to move among them, Enter to choose.
function makeSearch(words, shown, choose) {
  const [form, field, list] = ["search", "query", "suggestions"]
    .map((id) => document.getElementById(id));
  const folded = words.map((word) => word.toLowerCase());
  const MOST = 8;
  let found = [], active = 0;

  // The word itself, then words that begin so, then words that hold it; by importance in each.
  function matches(asked) {
    const rank = (word) => word === asked ? 0 : word.startsWith(asked) ? 1 : 2;
    return [...folded.keys()].filter((i) => folded[i].includes(asked))
      .sort((a, b) => rank(folded[a]) - rank(folded[b]) || a - b).slice(0, MOST);
  }
  function suggest() {
    const asked = field.value.trim().toLowerCase();
    if (!asked) return close();
    found = matches(asked);
    active = 0;
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    const items = found.map((i, place) => {
      const item = document.createElement("li");
      item.textContent = shown[i];
      item.id = `suggestion-${place}`;
      item.setAttribute("role", "option");
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); pick(place); });
      return item;
    });
    if (!items.length) {
      const none = document.createElement("li");
      none.className = "none";
      none.textContent = "No such word on this map";
      items.push(none);
    }
    list.replaceChildren(...items);
    mark();
  }
  function mark() {
    [...list.children].forEach((item, place) =>
      item.setAttribute("aria-selected", String(found.length > 0 && place === active)));
    if (found.length) field.setAttribute("aria-activedescendant", `suggestion-${active}`);
    else field.removeAttribute("aria-activedescendant");
  }
  function close() {
    found = [];
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }
  function pick(place) {
    if (place >= found.length) return;
    const i = found[place];
    field.value = words[i];
    close();
    choose(i);
  }

  field.addEventListener("input", suggest);
  field.addEventListener("focus", () => field.select());
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      active = (active + step + found.length) % found.length;
      mark();
      event.preventDefault();
    } else if (event.key === "Escape" && !list.hidden) {
      close();
      event.stopPropagation();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!found.length) suggest();
    pick(active);
  });
  return { focus: () => field.focus(), has: (element) => element === field };
}
