// The page: what is shown, what a person does, what siamtrack says.

import { fromSides, moved, isLarge, toSides } from "./boxes.js";
import { Clips } from "./clips.js";
import { Frames } from "./frames.js";
import { get, listen, send, settled } from "./net.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

const $ = (id) => document.getElementById(id);
const COLORS = ["#3cdc50", "#5ab0ff", "#ff8fd0", "#ffd84d", "#b98cff", "#59e0d8", "#ff9a5c", "#c5d96b", "#e0a0a0"];
const STATES = { i: "given", t: "tracked", l: "lost", f: "found again", a: "absent" };
const ORIGINS = { h: "human", f: "forward", b: "backward", i: "interpolated" };

const colors = new Proxy({}, { get: (_, number) => COLORS[number % COLORS.length] });
let doc = null; // the clip as siamtrack has it
let points = []; // per target: frame -> its row
let frame = 0, target = 1;
let frames = null; // the pictures of the clip
let clips = null;
let playing = false;
let work = null; // what is under way: {work, step, of}
let live = new Map(); // what is tracked again so far: "target frame" -> row
let keyed = null; // the box that is moved by keys
let absentFrom = null; // the frame from which the target is absent, until the last one is named
let adding = null; // the name of a target that waits for its first box

const stage = new Stage($("picture"), { box: () => boxToTake(), drawn: commit, picked: choose });
const timeline = new Timeline($("timeline"), (to, row) => {
  if (row) select(row);
  go(to);
});

// ------------------------------------------------------------------ what is shown

function say(words, wrong = false) {
  $("said").textContent = words;
  $("said").className = wrong ? "wrong" : "";
}

const picks = () => doc.mode === "pick";
const pendingAt = (number, at) => doc.pending.find((mark) => mark.target === number && mark.frame === at);

// the box of a target in a frame, null where it has none
function boxOf(number, at) {
  const mark = pendingAt(number, at);
  if (mark) return mark.box && fromSides(mark.box);
  const row = live.get(`${number} ${at}`) ?? points[number - 1]?.get(at);
  return row?.[1] ? fromSides(row[1]) : null;
}

// what a pointer takes hold of; where a target is lost, it draws anew
function boxToTake() {
  if (adding) return null;
  const isLost = points[target - 1]?.get(frame)?.[3] === "l" && !pendingAt(target, frame);
  return keyed ?? (isLost ? null : boxOf(target, frame));
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
      box, color: mark && !picks() ? "#ffb454" : live.has(`${number} ${frame}`) ? "#ffffff" : colors[i],
      dashed: isLost, faint: isLost, handles: chosen && !isLost, name: words,
    });
  });
  if (keyed) all.push({ box: keyed, color: "#ffffff", handles: true, name: adding ?? "" });
  return all;
}

let wanted = null, busy = false;
async function paint() {
  wanted = frame;
  words();
  timeline.at(frame, target, liveRange());
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
    } else if (now === frame) say(`Frame ${now} cannot be shown`, true);
  }
  busy = false;
  stage.boxes = shapes();
  stage.paint();
  if (!playing) frames.prepare(frame, 3);
}

function words() {
  if (!doc.targets.length) {
    $("where").textContent = `${frame} / ${doc.frames - 1} · ${(frame / doc.fps).toFixed(2)} s`;
    return;
  }
  const one = doc.targets[target - 1], row = points[target - 1]?.get(frame), mark = pendingAt(target, frame);
  const seconds = (frame / doc.fps).toFixed(2);
  let about = row ? `${STATES[row[3]]}, ${row[4] === "h" ? "by a human" : `overlap ${row[2].toFixed(2)}`}` : "no box";
  if (row?.[5] != null) about += `, passes agree ${row[5].toFixed(2)}`;
  if (row && row[4] !== "h") about += `, ${ORIGINS[row[4]]}`;
  const later = picks() ? "" : ", not tracked yet";
  if (mark) about = mark.box ? `${picks() ? "given" : "corrected"}${later}` : `absent${later}`;
  $("where").textContent = `${frame} / ${doc.frames - 1} · ${seconds} s · ${one.label}: ${about}`;
}

function liveRange() {
  if (!live.size) return null;
  const at = [...live.keys()].map((key) => Number(key.split(" ")[1]));
  return [at.reduce((a, b) => Math.min(a, b)), at.reduce((a, b) => Math.max(a, b))];
}

function fill() {
  const chips = doc.targets.map((one, i) => {
    const chip = document.createElement("button"), dot = document.createElement("i");
    chip.setAttribute("role", "radio");
    chip.setAttribute("aria-checked", i + 1 === target);
    dot.style.background = colors[i];
    chip.append(dot, one.label);
    chip.addEventListener("click", () => select(i + 1));
    return chip;
  });
  $("targets").replaceChildren(...chips);
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
  for (const id of ["before", "skip", "finish"]) $(id).hidden = !picks() || (id !== "finish" && !clips);
  for (const id of ["box", "absent", "name"]) $(id).disabled = id !== "box" && !doc.targets.length;
  $("title").textContent = `${doc.unsaved ? "● " : ""}${doc.name}`;
  $("title").title = doc.unsaved ? "not saved" : "saved";
  document.title = `${doc.unsaved ? "● " : ""}${doc.name} · siamtrack ${doc.mode}`;
  $("saves").textContent = `Save writes ${doc.saves.join(" and ")}.`;
}

function take(next) {
  if (doc && next.clip !== doc.clip) return;
  doc = next;
  doc.targets.forEach((one, i) => {
    one.named = one.label !== null;
    one.label ??= `target ${i + 1}`;
  });
  points = doc.targets.map((one) => new Map(one.points.map((row) => [row[0], row])));
  target = Math.max(1, Math.min(target, doc.targets.length));
  fill();
  timeline.show(doc, colors);
  paint();
}

async function open(number) {
  pause();
  const next = await get(`clips/${number}`).catch((error) => {
    say(error.message, true);
    clips?.failed(number, error.message);
  });
  if (!next) return false;
  doc = null;
  [live, keyed, absentFrom, adding, target] = [new Map(), null, null, null, 1];
  frames = new Frames(number, next.frames);
  stage.reset(next.size);
  frame = next.doubts[0]?.first ?? 0;
  take(next);
  if (next.doubts.length) target = next.doubts[0].target;
  select(target);
  clips?.mark(number);
  list(false);
  if (picks()) say("Go to a frame in which the target is seen and drag a box around it");
  else say(next.doubts.length ? tell(0) : "Nothing to doubt: the target is believed in every frame");
  return true;
}

// ------------------------------------------------------------------ where one is

function go(to) {
  frame = Math.min(Math.max(to, 0), doc.frames - 1);
  if (keyed) endKeys();
  paint();
}

function select(number) {
  target = number;
  if (keyed) endKeys();
  fill();
  paint();
}

function tell(place) {
  const { target: number, first, last, reason } = doc.doubts[place];
  const what = { lost: "lost", disagreement: "passes disagree", "low score": "low overlap expected" }[reason];
  return `Doubt ${place + 1} of ${doc.doubts.length}: ${doc.targets[number - 1].label}, ${what}, frames ${first}-${last}`;
}

function jump(step) {
  pause();
  const all = doc.doubts, key = (doubt) => doubt.first * 1000 + doubt.target;
  const here = frame * 1000 + target;
  const place = step > 0 ? all.findIndex((doubt) => key(doubt) > here) : all.findLastIndex((doubt) => doubt.first < frame);
  if (place < 0) return say(step > 0 ? "No doubt after this frame" : "No doubt before this frame");
  target = all[place].target;
  fill();
  go(all[place].first);
  say(tell(place));
}

function pause() {
  playing = false;
  $("play").firstChild.textContent = "▶ ";
}

async function play() {
  if (playing) return pause();
  playing = true;
  $("play").firstChild.textContent = "❚❚ ";
  if (frame >= doc.frames - 1) go(0);
  const mine = frames;
  let from = frame, began = performance.now();
  while (playing && frames === mine) {
    const next = from + Math.floor(((performance.now() - began) * doc.fps) / 1000);
    if (next !== frame) {
      if (next >= doc.frames - 1) pause();
      await frames.get(Math.min(next, doc.frames - 1));
      if (!playing && next < doc.frames - 1) break;
      go(next);
      frames.prepare(next);
      const late = ((performance.now() - began) * doc.fps) / 1000 - (next - from);
      if (late > 4) [from, began] = [next, performance.now()]; // slower than the clip, rather than in leaps
    }
    await new Promise(requestAnimationFrame);
  }
}

// ------------------------------------------------------------------ what a person says

function change(what, after = () => {}) {
  const clip = doc.clip;
  return send(clip, () => ({ ...what, version: doc.version }), (next) => {
    take(next);
    after();
  }).catch(async (error) => {
    await reload().catch(() => {});
    say(error.message, true);
  });
}

// shown at once, before siamtrack has answered
function expect(frameAt, box) {
  const others = doc.pending.filter((mark) => mark.target !== target || mark.frame !== frameAt);
  doc.pending = [...others, { target, frame: frameAt, box }];
  paint();
}

async function reload() {
  take(await get(`clips/${doc.clip}`));
}

function commit(box) {
  pause();
  const said = { box: toSides(box), frame };
  if (adding || !doc.targets.length) {
    const label = adding;
    adding = null;
    change({ do: "add", label, ...said }, () => {
      select(doc.targets.length);
      const name = doc.targets.at(-1).label;
      say(picks() ? `${name} begins in frame ${said.frame}: S uses it, N adds another` : `${name} begins in frame ${said.frame}: track again (T) follows it`);
    });
    return;
  }
  expect(said.frame, said.box);
  change({ do: "box", target, ...said }, () => told(`Box of ${doc.targets[target - 1].label} in frame ${said.frame}`));
}

const told = (words) => say(picks() ? words : `${words}: track again (T)`);

function choose(point) {
  const inside = (box) => box && point[0] >= box[0] && point[0] <= box[2] && point[1] >= box[1] && point[1] <= box[3];
  const hit = doc.targets.findIndex((_, i) => inside(boxOf(i + 1, frame)));
  if (hit >= 0) select(hit + 1);
  else say("Press on one corner of the target and drag to the opposite one");
}

function beginKeys() {
  pause();
  const [w, h] = doc.size, row = [...(points[target - 1]?.values() ?? [])].findLast((one) => one[0] <= frame && one[1]);
  keyed = (!adding && (boxOf(target, frame) ?? (row && fromSides(row[1])))) || [0.4 * w, 0.4 * h, 0.6 * w, 0.6 * h];
  $("picture").focus();
  say("Arrows move the box, with Shift they resize it, with Ctrl by ten; Enter keeps it, Esc not");
  paint();
}

function endKeys(keep = false) {
  const box = keyed;
  keyed = null;
  if (keep && isLarge(box)) commit(box);
  else say("");
  paint();
}

function absent() {
  if (!doc.targets.length) return;
  pause();
  const { label } = doc.targets[target - 1];
  if (absentFrom === null) {
    absentFrom = frame;
    say(`${label} is absent from frame ${frame}: go to the last such frame and press A again; Esc forgets it`);
    return;
  }
  const [first, last] = [Math.min(absentFrom, frame), Math.max(absentFrom, frame)];
  absentFrom = null;
  change({ do: "absent", target, first, last }, () => told(`${label} is absent in frames ${first}-${last}`));
}

function ask(what, value) {
  $("naming-what").textContent = what;
  $("naming-name").value = value;
  const dialog = $("naming");
  dialog.returnValue = "";
  dialog.showModal();
  $("naming-name").select();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes" ? $("naming-name").value.trim() : null), { once: true });
  });
}

async function rename() {
  if (!doc.targets.length) return;
  const number = target, label = await ask("Name of the target", doc.targets[number - 1].label);
  if (label) change({ do: "name", target: number, label }, () => say(`Target ${number} is called ${label}`));
}

async function add() {
  pause();
  adding = await ask("Name of the new target", `target ${doc.targets.length + 1}`);
  if (adding) say(`Drag a box around ${adding}, or press B for a box by keys; Esc forgets it`);
  paint();
}

function cancel() {
  if (keyed) return endKeys();
  if (work?.work === "track") change({ do: "stop" });
  else if (absentFrom !== null || adding) say("");
  else if (picks() && !keyed) return skip();
  [absentFrom, adding] = [null, null];
  paint();
}

function track() {
  if (work?.work === "track") return change({ do: "stop" });
  if (!doc.pending.length) return say("Nothing to track again: correct a box first");
  pause();
  change({ do: "track" });
}

function save() {
  if (!picks() && doc.pending.length) return say("Some corrections are not tracked yet: track again first (T)", true);
  if (doc.unsaved) change({ do: "save" });
}

function beside(step) {
  const next = clips?.beside(step) ?? null;
  if (next === null) say(step > 0 ? "This is the last clip" : "This is the first clip");
  else open(next);
}

function finish() {
  change({ do: "finish" });
}

// the next clip that nobody has picked in, else the end
async function onward() {
  for (const row of clips?.rows ?? []) if (!row.error && !row.picked && (await open(row.number))) return;
  finish();
}

function skip() {
  if ((clips?.beside(1) ?? null) === null) say("This is the last clip: Finish ends it, what is left can be picked later");
  else beside(1);
}

function list(shown = $("clips").hidden) {
  if (!clips) return;
  const narrow = matchMedia("(max-width: 700px)").matches;
  $("clips").hidden = narrow ? !shown : false;
  $("menu").hidden = !narrow;
  $("menu").setAttribute("aria-expanded", !$("clips").hidden);
}

// ------------------------------------------------------------------ what siamtrack says

async function heard(event) {
  if (event.ended) {
    source.close();
    doc.unsaved = false;
    return say(picks() ? "Done: you can close this tab" : "siamtrack has ended: it said where unsaved corrections are", !picks());
  }
  if (!doc || event.clip !== doc.clip) return;
  if (event.said) return say(event.said);
  if (event.work) {
    work = event;
    const how = event.of ? `${event.step} of ${event.of}` : "…";
    say(event.work === "track" ? `Tracking again: ${how}${event.of ? "" : " loading the tracker"}` : `Writing: ${how}`);
    for (const [number, ...row] of event.points ?? []) live.set(`${number} ${row[0]}`, row);
    fill();
    const last = event.points?.at(-1);
    if (last && !playing && !keyed) go(last[1]);
    return;
  }
  if (event.done) {
    await settled();
    const was = work;
    [work, live] = [null, new Map()];
    await reload();
    if (event.error) say(event.hint ? `${event.error}: ${event.hint}` : event.error, true);
    else if (event.done === "save" && picks()) {
      clips?.picked(doc.clip);
      onward();
    } else if (event.done === "save") say("Saved");
    else say(doc.pending.length ? "Stopped: nothing was changed" : `Tracked again: ${was?.of ?? ""} frames`);
    return;
  }
  await settled();
  if (event.version > doc.version) {
    await reload();
    say("Another tab has changed this clip: this is how it is now");
  }
}

// ------------------------------------------------------------------ keys and buttons

$("before").addEventListener("click", () => beside(-1));
$("skip").addEventListener("click", skip);
$("finish").addEventListener("click", finish);

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = {
  " ": play, b: beginKeys, a: absent, n: add, r: rename, z: () => change({ do: "undo" }), t: track, s: save,
  d: () => jump(1), D: () => jump(-1), "[": () => beside(-1), "]": () => beside(1), Home: () => go(0),
  End: () => go(doc.frames - 1), Escape: cancel, "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5),
  0: () => zoom(1 / 100), "?": () => $("keys").showModal(), PageUp: () => go(frame - 100), PageDown: () => go(frame + 100),
  c: () => { list(); $("filter").focus(); },
};

function zoom(factor) {
  const box = keyed ?? boxOf(target, frame);
  stage.zoomBy(factor, box ? [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2] : undefined);
}

document.addEventListener("keydown", (event) => {
  if (!doc || document.querySelector("dialog[open]") || event.altKey || event.metaKey) return;
  const typed = event.target.matches("input, select");
  if (typed && event.key !== "Escape") return;
  if (typed) event.target.blur();
  const { key, shiftKey, ctrlKey } = event;
  if (keyed && key in ARROWS) {
    const by = ARROWS[key].map((v) => v * (ctrlKey ? 10 : 1));
    const next = moved(shiftKey ? [false, false, true, true] : [true, true, true, true], keyed, ...by, doc.size);
    if (isLarge(next)) keyed = next;
    paint();
  } else if (keyed && key === "Enter") endKeys(true);
  else if (key === "ArrowLeft" || key === "ArrowRight") {
    pause();
    go(frame + (key === "ArrowLeft" ? -1 : 1) * (shiftKey ? 10 : 1));
  } else if (/^[1-9]$/.test(key) && key <= doc.targets.length) select(Number(key));
  else if (ctrlKey && !"zs".includes(key)) return;
  else if ((key === " " || key === "Enter") && event.target.matches("button")) return;
  else if (KEYS[key]) KEYS[key]();
  else return;
  event.preventDefault();
});

for (const [id, act] of Object.entries({
  play, track, save, absent, add, name: rename, box: beginKeys, undo: () => change({ do: "undo" }), menu: () => list(),
  back: () => { pause(); go(frame - 1); }, forward: () => { pause(); go(frame + 1); },
  "doubt-before": () => jump(-1), "doubt-next": () => jump(1), help: () => $("keys").showModal(),
})) $(id).addEventListener("click", act);

addEventListener("beforeunload", (event) => {
  if (doc?.unsaved) event.preventDefault();
});
addEventListener("resize", () => list(false));

const source = listen(heard, (closed) => {
  if (closed !== null) say("siamtrack does not answer: if it still runs, look after the connection", true);
});
const rows = await get("clips").catch((error) => say(error.message, true)) ?? [];
if (rows.length > 1) {
  clips = new Clips(rows, open);
  list(false);
}
let shown = false;
for (const [number, row] of rows.entries()) if (!shown && !row.error) shown = await open(number);
if (!shown) say("No clip can be shown", true);
