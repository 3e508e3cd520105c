// What is shown: the picture with its boxes, the time line, the words and buttons.

import { fromSides, toSides } from "./boxes.js";
import { get } from "./net.js";
import { $, PENDING, adding, clips, doc, frame, frames, keyed, live, playing, points, target, work, boxOf, pendingAt, picks, set } from "./state.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

const NEAR_END = 10; // frames
const STATES = { i: "given", t: "tracked", l: "lost", f: "found again", a: "absent" };
const ORIGINS = { h: "human", f: "forward", b: "backward", i: "interpolated" };

let spoken = [-Infinity, Infinity];

export const stage = new Stage($("picture"));
export const timeline = new Timeline($("timeline"), (to, row) => {
  if (row) select(row);
  go(to);
});

// `first` and `last`: the frames of which the words speak; they go when another frame is shown
export function say(words, wrong = false, first = -Infinity, last = Infinity) {
  $("said").textContent = words;
  $("said").className = wrong ? "wrong" : "";
  spoken = [first, last];
}

function shapes() {
  const all = [];
  doc.targets.forEach((one, i) => {
    const number = i + 1, box = boxOf(number, frame), chosen = number === target && !adding;
    if (!box || (keyed && chosen)) return;
    const row = points[i].get(frame), mark = pendingAt(number, frame);
    const isLost = row?.[3] === "l" && !mark;
    const words = doc.targets.length > 1 || one.named ? one.label : "";
    all.push({
      box, color: mark && !picks() ? PENDING : live.has(`${number} ${frame}`) ? "#ffffff" : doc.colors[i],
      dashed: isLost, faint: isLost, handles: chosen && !isLost, name: words,
    });
  });
  if (keyed) all.push({ box: keyed, color: "#ffffff", handles: true, name: adding ?? "" });
  return all;
}

// shows a frame that is played; false where it is none of the clip
export function put(at, picture) {
  if (at < doc.first || at >= doc.frames) return false;
  set({ frame: at });
  words();
  timeline.at(frame, target, liveRange());
  stage.show(picture, shapes());
  $("picture").dataset.frame = at;
  fresh();
  return true;
}

// no box is drawn on the picture of another frame
function fresh() {
  stage.stale = Number($("picture").dataset.frame) !== frame;
  $("picture").classList.toggle("stale", stage.stale);
}

let wanted = null, busy = false;
export async function paint() {
  wanted = frame;
  words();
  timeline.at(frame, target, liveRange());
  fresh();
  if (busy) return;
  busy = true;
  while (wanted !== null) {
    const now = wanted, from = frames;
    wanted = null;
    const picture = await from.get(now);
    if (from !== frames) continue;
    if (picture) {
      stage.show(picture, now === frame ? shapes() : []);
      $("picture").dataset.frame = now;
    }
    if ((!picture || (doc.endless && now >= doc.frames - NEAR_END)) && now === frame) await learn(now, picture);
  }
  busy = false;
  fresh();
  stage.boxes = stage.stale ? [] : shapes();
  stage.paint();
  if (!playing) frames.prepare(frame, 3);
}

// how many frames there are may be known by now
async function learn(at, picture) {
  const next = await get(`clips/${doc.clip}`).catch(() => null);
  if (next) take(next);
  if (picture) return;
  if (at >= doc.frames) go(doc.frames - 1);
  else say(`Frame ${at} cannot be shown`, true, at, at);
}

function measured(box) {
  const [x, y, w, h] = toSides(box).map((v) => v.toFixed(1));
  return `${w} × ${h} px at ${x}, ${y}`;
}

function words() {
  if (frame < spoken[0] || frame > spoken[1]) say("");
  const place = `${frame}${doc.endless ? "" : ` / ${doc.frames - 1}`} · ${(frame / doc.fps).toFixed(2)} s`;
  if (keyed || !doc.targets.length) {
    $("where").textContent = keyed ? `${place} · ${measured(keyed)}` : place;
    return;
  }
  const one = doc.targets[target - 1], row = live.get(`${target} ${frame}`) ?? points[target - 1]?.get(frame), mark = pendingAt(target, frame);
  let about = row ? `${STATES[row[3]]}, ${row[4] === "h" ? "by a human" : `overlap ${row[2].toFixed(2)}`}` : "no box";
  if (row?.[5] != null) about += `, passes agree ${row[5].toFixed(2)}`;
  if (row && row[4] !== "h") about += `, ${ORIGINS[row[4]]}`;
  const later = picks() ? "" : ", not tracked yet";
  if (mark) about = `${mark.box ? measured(fromSides(mark.box)) : "absent"}${later}`;
  $("where").textContent = `${place} · ${one.label}: ${about}`;
}

function liveRange() {
  if (!live.size) return null;
  const at = [...live.keys()].map((key) => Number(key.split(" ")[1]));
  return [at.reduce((a, b) => Math.min(a, b)), at.reduce((a, b) => Math.max(a, b))];
}

// a chip per target; those that are there stay: a press on one would be lost, and the focus
function chips() {
  const all = $("targets").children;
  doc.targets.forEach((one, i) => {
    const chip = all[i] ?? $("targets").appendChild(madeChip(i));
    chip.setAttribute("aria-checked", i + 1 === target);
    chip.lastChild.data = one.label;
  });
  while (all.length > doc.targets.length) $("targets").lastChild.remove();
}

function madeChip(i) {
  const chip = document.createElement("button"), dot = document.createElement("i");
  chip.setAttribute("role", "radio");
  dot.style.background = doc.colors[i];
  chip.append(dot, "");
  chip.addEventListener("click", () => select(i + 1));
  return chip;
}

export function fill() {
  chips();
  const waiting = picks() ? 0 : doc.pending.length;
  $("undo").disabled = !doc.undo || Boolean(work);
  $("track").hidden = picks();
  $("track").disabled = !work && !waiting;
  $("track").classList.toggle("main", waiting > 0 && !work);
  $("track").firstChild.textContent = work?.work === "track" ? "Stop " : "Track again ";
  $("save").firstChild.textContent = picks() ? "Use " : "Save ";
  $("save").disabled = !doc.unsaved || waiting > 0 || Boolean(work) || (picks() && !doc.targets.length);
  $("save").classList.toggle("main", !$("save").disabled);
  for (const id of ["doubt-before", "doubt-next"]) $(id).hidden = picks();
  $("save").lastElementChild.textContent = picks() ? "Enter" : "S";
  for (const id of ["before", "skip", "finish"]) $(id).hidden = !picks() || (id !== "skip" && !clips);
  $("skip").firstChild.textContent = clips ? "Skip " : "Cancel ";
  for (const id of ["absent", "name"]) $(id).disabled = !doc.targets.length;
  const still = doc.frames - doc.first === 1;
  for (const id of ["lines", "travel", "absent"]) $(id).hidden = still;
  $("title").textContent = `${doc.unsaved ? "● " : ""}${doc.name}`;
  $("title").title = doc.unsaved ? "not saved" : "saved";
  document.body.dataset.mode = doc.mode;
  document.body.dataset.clips = clips ? "many" : "one";
  clips?.learn(doc.clip, { unsaved: doc.unsaved });
  document.title = `${doc.unsaved ? "● " : ""}${doc.name} · siamtrack ${doc.mode}`;
  $("saves").textContent = doc.saves.length ? `${picks() ? "Use" : "Save"} writes ${new Intl.ListFormat("en").format(doc.saves)}.` : "";
}

export function take(next) {
  if (doc && next.clip !== doc.clip) return;
  // what corrections do not change is not sent with every answer
  const rows = next.points?.map((own) => new Map(own.map((row) => [row[0], row]))) ?? points;
  const shared = (label) => next.labels.filter((other) => other === label).length > 1;
  const shown = (label, i) => (label === null ? `target ${i + 1}` : shared(label) ? `#${i + 1} ${label}` : label);
  const targets = next.labels.map((label, i) => ({ label: shown(label, i), named: label !== null }));
  const known = next.labels.map((_, i) => rows[i] ?? new Map());
  // of work that began before this page looked, nothing more is known than that it is under way
  const under = next.work ? work ?? { work: next.work, step: 0, of: 0 } : null;
  set({ doc: { doubts: doc?.doubts, ...next, targets }, points: known, target: Math.max(1, Math.min(target, targets.length)), work: under });
  frames.count = doc.frames;
  fill();
  timeline.show(doc, points);
  paint();
}

// ------------------------------------------------------------------ where one is

export function go(to) {
  set({ frame: Math.min(Math.max(to, doc.first), doc.frames - 1), keyed: null });
  paint();
}

export function select(number) {
  set({ target: number, keyed: null });
  fill();
  paint();
}
