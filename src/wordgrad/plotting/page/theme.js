"use strict";
// Light or dark: as the system says, until the reader chooses. Others ask to hear of a change.
const theme = (() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const followers = [];
  let chosen = null;
  const dark = () => chosen ?? system.matches;
  const apply = () => {
    document.documentElement.dataset.theme = dark() ? "dark" : "light";
    followers.forEach((follow) => follow());
  };
  system.addEventListener("change", apply);
  document.getElementById("theme").addEventListener("click", () => { chosen = !dark(); apply(); });
  apply();
  const style = getComputedStyle(document.documentElement);
  return {
    colour: (name) => style.getPropertyValue(`--${name}`).trim(),
    follow: (follower) => followers.push(follower),
  };
})();
