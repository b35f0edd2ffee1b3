// Where the reader looks: the part of the plane that the drawing shows, always at one scale on both
// axes. `data.x`, `data.y` are positions on the plane, in pixels they are points of the frame.
function makeView(plot, data) {
  const [xs, ys] = [plot.x_range, plot.y_range];
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let moving = 0;
  const frame = () => ({ w: plot.inner_width || 1, h: plot.inner_height || 1 });
  let before = frame();
  const middle = () => [(xs.start + xs.end) / 2, (ys.start + ys.end) / 2];
  const pixel = () => (xs.end - xs.start) / before.w; // its size on the plane
  const toScreen = (i) => {
    const { w, h } = frame();
    return [(data.x[i] - xs.start) / (xs.end - xs.start) * w,
            (ys.end - data.y[i]) / (ys.end - ys.start) * h];
  };

  function set(x, y, u) {
    const { w, h } = before = frame();
    xs.setv({ start: x - u * w / 2, end: x + u * w / 2 });
    ys.setv({ start: y - u * h / 2, end: y + u * h / 2 });
  }
  function look(x, y, u, animated) {
    cancelAnimationFrame(moving);
    if (!animated || calm.matches) return set(x, y, u);
    const [x0, y0] = middle(), u0 = pixel(), begin = performance.now();
    const step = (now) => {
      const t = Math.min(Math.max(now - begin, 0) / 350, 1), s = t * t * (3 - 2 * t);
      set(x0 + (x - x0) * s, y0 + (y - y0) * s, u0 * (u / u0) ** s);
      if (t < 1) moving = requestAnimationFrame(step);
    };
    moving = requestAnimationFrame(step);
  }
  function fit(members, animated = true) {
    const { w, h } = frame();
    const range = (values) => members.reduce(
      ([a, b], i) => [Math.min(a, values[i]), Math.max(b, values[i])], [Infinity, -Infinity]);
    const [x0, x1] = range(data.x), [y0, y1] = range(data.y);
    const room = (pixels) => Math.max(pixels - 80, pixels * 0.7);
    const closest = 0.25 / Math.max(w, h); // words on one spot do not fill the frame
    look((x0 + x1) / 2, (y0 + y1) / 2,
      Math.max((x1 - x0) / room(w), (y1 - y0) / room(h), closest), animated);
  }
  // A frame of another size shows the same middle at the same scale.
  const resized = () => {
    if (plot.inner_width > 1 && plot.inner_height > 1) set(...middle(), pixel());
  };
  plot.properties.inner_width.change.connect(resized);
  plot.properties.inner_height.change.connect(resized);

  return {
    frame, toScreen, fit,
    zoom: (factor) => look(...middle(), pixel() * factor, true),
    shift: (dx, dy) => {
      const [x, y] = middle(), { w, h } = frame(), by = Math.min(w, h) / 5 * pixel();
      look(x + dx * by, y + dy * by, pixel(), false);
    },
    shows: (i) => {
      const [x, y] = toScreen(i), { w, h } = frame();
      return x > 20 && y > 20 && x < w - 20 && y < h - 20;
    },
    follow: (follower) => [xs, ys].forEach((range) => range.change.connect(follower)),
  };
}
