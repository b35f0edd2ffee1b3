// Losses: Bokeh draws them; this script colours the axes and hides what is not wanted.
(async () => {
  const trainings = JSON.parse(document.getElementById("data").textContent);
  const item = JSON.parse(document.getElementById("item").textContent);
  const views = await Bokeh.embed.embed_item(item, "figure");
  const panels = views.roots[0].model.children;

  const colour = () => {
    const [ink, quiet, line] = ["ink", "quiet", "line"].map(theme.colour);
    for (const panel of panels) {
      for (const axis of [...panel.left, ...panel.below]) {
        axis.setv({
          axis_label_text_color: quiet, major_label_text_color: ink, axis_line_color: line,
          major_tick_line_color: line,
        });
      }
      for (const grid of panel.center) grid.setv({ grid_line_color: line });
    }
  };
  theme.follow(colour);
  colour();

  const glyphs = (place) => panels.flatMap((panel) =>
    panel.renderers.filter((renderer) => renderer.tags[0] === place));
  trainings.forEach(({ name, color }, place) => {
    const entry = document.createElement("li"), button = document.createElement("button");
    const mark = document.createElement("i"), text = document.createElement("span");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    mark.style.background = color;
    text.textContent = name;
    button.append(mark, text);
    button.addEventListener("click", () => {
      const visible = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(visible));
      for (const glyph of glyphs(place)) glyph.visible = visible;
    });
    entry.append(button);
    document.getElementById("names").append(entry);
  });
  document.documentElement.dataset.ready = "true";
})();
