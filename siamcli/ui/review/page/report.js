"use strict";
// Clips are filled when they come into view, and emptied when they leave it: ten thousand stay quick.

const $ = (id) => document.getElementById(id);
const { title, clips } = JSON.parse($("data").textContent);
$("data").remove();
const ORDERS = {
  worst: () => 0,
  lost: (a, b) => (b.lost ?? -1) - (a.lost ?? -1),
  lowest: (a, b) => (a.lowest ?? 2) - (b.lowest ?? 2),
  name: (a, b) => a.name.localeCompare(b.name),
};
const KINDS = { all: () => true, lost: (clip) => clip.lost > 0, failed: (clip) => clip.error };

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

const share = (v) => `${(100 * v).toFixed(v && v < 0.1 ? 1 : 0)} %`;

function describe(clip) {
  const [first, last] = clip.frames;
  const words = [first === last ? `frame ${first}` : `frames ${first}-${last}`, clip.lost ? `lost ${share(clip.lost)}` : "never lost"];
  if (clip.disagreeing) words.push(`passes disagree ${share(clip.disagreeing)}`);
  if (clip.shared) words.push(`same box ${share(clip.shared)}`);
  if (clip.lowest !== null) words.push(`lowest overlap expected ${clip.lowest.toFixed(2)}`);
  return words.join(" · ");
}

function strip({ strip: letters, label }) {
  const canvas = element("canvas"), high = 34;
  canvas.width = letters.length;
  canvas.height = high;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Scores of ${label}`);
  const pen = canvas.getContext("2d");
  [...letters].forEach((letter, x) => {
    if (letter === " ") return;
    const value = Number(letter);
    pen.fillStyle = letter === "l" ? "#b23b3b" : letter === "a" ? "#5a616b" : value < 5 ? "#c9772a" : "#31914a";
    const tall = letter === "l" ? high : letter === "a" ? 4 : 3 + ((value + 1) * (high - 3)) / 10;
    pen.fillRect(x, high - tall, 1, tall);
  });
  return canvas;
}

function path(clip) {
  const canvas = element("canvas", undefined, "path"), [w, h] = clip.size;
  canvas.width = 280;
  canvas.height = Math.min(400, Math.max(40, Math.round((280 * h) / w)));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Path of the targets in the frame");
  const pen = canvas.getContext("2d");
  pen.lineWidth = 3;
  clip.targets.forEach(({ path: places, color }) => {
    const at = ([x, y]) => [(x * canvas.width) / 1000, (y * canvas.height) / 1000];
    pen.strokeStyle = pen.fillStyle = color;
    pen.beginPath();
    for (const place of places) pen.lineTo(...at(place));
    pen.stroke();
    if (places.length) {
      pen.beginPath();
      pen.arc(...at(places.at(-1)), 6, 0, 7);
      pen.fill();
    }
  });
  return canvas;
}

function fill(article) {
  const clip = clips[article.dataset.clip];
  article.append(element("h2", clip.name));
  if (clip.error) return article.append(element("p", clip.error, "bad"));
  article.append(element("p", describe(clip)));
  const overview = element("div", undefined, "overview"), strips = element("div", undefined, "strips");
  for (const target of clip.targets) {
    const lost = target.lost.map(([a, b]) => (a === b ? a : `${a}-${b}`)).join(", ");
    const isOne = target.lost.length === 1 && target.lost[0][0] === target.lost[0][1];
    const more = target.more ? ` and ${target.more} more` : "";
    strips.append(strip(target), element("p", `${target.label}: ${lost ? `lost in ${isOne ? "frame" : "frames"} ${lost}${more}` : "never lost"}`));
  }
  overview.append(strips);
  if (clip.size[0] > 1) overview.append(path(clip));
  article.append(overview);
  if (clip.problem) article.append(element("p", clip.problem, "bad"));
  if (!clip.pictures.length) return;
  const pictures = element("div", undefined, "pictures");
  for (const { frame, jpeg } of clip.pictures) {
    const figure = element("figure"), image = element("img");
    image.src = `data:image/jpeg;base64,${jpeg}`;
    image.alt = `Frame ${frame}`;
    figure.append(image, element("figcaption", `frame ${frame}`));
    pictures.append(figure);
  }
  article.append(pictures);
}

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting && !target.firstChild) fill(target);
    else if (!isIntersecting && target.firstChild) {
      target.style.minHeight = `${target.offsetHeight}px`; // what lies below stays where it is
      target.replaceChildren();
    }
  }
}, { rootMargin: "1200px" });

function list() {
  seen.disconnect();
  const words = $("filter").value.toLowerCase();
  const shown = clips.map((clip, number) => [clip, number])
    .filter(([clip]) => clip.name.toLowerCase().includes(words) && KINDS[$("kind").value](clip))
    .sort(([a], [b]) => ORDERS[$("order").value](a, b));
  $("list").replaceChildren(...shown.map(([, number]) => {
    const article = element("article");
    article.dataset.clip = number;
    return article;
  }));
  for (const article of $("list").children) seen.observe(article);
  const failed = clips.filter((clip) => clip.error).length, lost = clips.filter((clip) => clip.lost > 0).length;
  $("counts").textContent = `${shown.length} of ${clips.length} ${clips.length === 1 ? "clip" : "clips"}; ${lost} lost somewhere, ${failed} failed`;
}

document.title = $("title").textContent = title;
let waiting;
$("filter").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(list, 150);
});
$("order").addEventListener("change", list);
$("kind").addEventListener("change", list);
// on paper all of them are in view
addEventListener("beforeprint", () => {
  seen.disconnect();
  for (const article of $("list").children) if (!article.firstChild) fill(article);
});
addEventListener("afterprint", () => {
  for (const article of $("list").children) seen.observe(article);
});
list();
