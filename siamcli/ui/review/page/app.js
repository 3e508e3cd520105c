// The page: what siamtrack says, keys and buttons, and the beginning.

import { isLarge, moved } from "./boxes.js";
import { Clips } from "./clips.js";
import {
  absent, add, beginKeys, cancel, change, choose, commit, endKeys, finish, leave, onward, reload, rename, save, track, undo,
} from "./marks.js";
import { get, listen, settled } from "./net.js";
import { $, boxOf, boxToTake, clips, doc, frame, keyed, live, picks, playing, set, target, work } from "./state.js";
import { beside, isCovered, jump, list, narrow, open, openFirst, pause, play } from "./travel.js";
import { fill, go, paint, say, select, stage } from "./view.js";

stage.on = { taken: pause, box: boxToTake, drawn: commit, picked: choose };

// what is tracked again is looked at until somebody goes elsewhere: the frame before that, and the last one
let followed = null;
const follows = () => frame === followed.at && !playing && !keyed;

async function heard(event) {
  if (event.ended) {
    source.close();
    if (!doc) return;
    if (picks()) farewell();
    const unsaved = isUnsaved();
    doc.unsaved = false;
    clips?.rows.forEach((row) => (row.unsaved = false));
    return say(`siamtrack has ended: ${unsaved ? "its terminal says where unsaved corrections are" : "everything is saved"}`, true);
  }
  if (event.rows) return clips?.read(event.rows);
  if (!doc) return;
  const isHere = () => event.clip === doc.clip;
  if (event.said) return isHere() && say(event.said);
  if (event.work) {
    if (!isHere()) return;
    set({ work: event });
    const how = event.of ? `${event.step} of ${event.of}` : "…";
    say(event.work === "track" ? `Tracking again: ${how}${event.of ? "" : " loading the tracker"}` : `Writing: ${how}`);
    for (const [number, ...row] of event.points ?? []) live.set(`${number} ${row[0]}`, row);
    fill();
    if (followed?.clip !== doc.clip) followed = { clip: doc.clip, home: frame, at: frame };
    const last = event.points?.at(-1);
    if (last && follows()) {
      followed.at = last[1];
      go(last[1]);
    }
    return;
  }
  await settled();
  if (!isHere()) return elsewhere(event);
  if (event.done) {
    set({ work: null, live: new Map() });
    if (followed?.clip === doc.clip && follows()) go(followed.home);
    followed = null;
    await reload();
    if (event.error) say(event.hint ? `${event.error}: ${event.hint}` : event.error, true);
    else if (event.done === "save") {
      say("Saved");
      clips?.renew(await get("clips"));
      if (picks() && isHere()) onward();
    } else say(doc.pending.length ? "Stopped: nothing was changed" : "Tracked again: Save (S) writes it");
    return;
  }
  if (event.version > doc.version) {
    await reload();
    say("Another tab has changed this clip: this is how it is now");
  }
}

// of a clip that is not shown: somebody went on while it was saved, or another tab shows it
async function elsewhere(event) {
  if (!event.done) return clips.learn(event.clip, { unsaved: event.unsaved });
  clips.renew(await get("clips"));
  if (event.error) say(`${clips.rows[event.clip].name}: ${event.error}`, true);
}

// what was told in between was missed; what is under way tells how far it is
async function again() {
  if (!doc) return;
  set({ work: null, live: new Map() });
  clips?.renew(await get("clips"));
  await reload();
  say("siamtrack answers again");
}

const isUnsaved = () => clips?.rows.some((row) => row.unsaved) ?? doc?.unsaved;

function ending() {
  if (!clips) return !doc.unsaved && doc.targets.length ? "Done: siamtrack has the boxes." : "Cancelled: no box was picked.";
  const left = clips.rows.filter((row) => !row.picked && !row.error).length;
  if (!left) return "Done: the boxes are written.";
  const all = clips.rows.length;
  return `${left} of ${all} ${all === 1 ? "clip" : "clips"} ${left === 1 ? "has" : "have"} no box yet: the same command asks for ${left === 1 ? "it" : "them"}.`;
}

function farewell() {
  pause();
  $("end").textContent = `${ending()} You can close this tab.`;
  for (const part of document.body.children) part.hidden = part.id !== "end";
}

// ------------------------------------------------------------------ keys and buttons

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = {
  " ": play, b: beginKeys, a: absent, n: add, r: rename, z: undo, t: track, s: save,
  d: () => jump(1), D: () => jump(-1), "[": () => beside(-1), "]": () => beside(1), Home: () => go(0),
  End: () => go(doc.frames - 1), Escape: () => isCovered() ? list(false) : cancel(), "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5),
  0: () => zoom(1 / 100), "?": () => $("keys").showModal(), PageUp: () => go(frame - 100), PageDown: () => go(frame + 100),
  c: () => { list(); $("filter").focus(); }, Enter: () => picks() && save(),
};

function zoom(factor) {
  const box = keyed ?? boxOf(target, frame);
  stage.zoomBy(factor, box ? [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2] : undefined);
}

document.addEventListener("keydown", (event) => {
  if (!doc || document.querySelector("dialog[open]") || event.altKey || event.metaKey) return;
  if (event.target.matches("input, select")) {
    if (event.key !== "Escape") return;
    event.target.blur(); // that is all: Escape leaves out no clip here
    return list(false);
  }
  const { shiftKey, ctrlKey } = event;
  const letter = event.key.length === 1; // the same with Caps Lock
  const key = letter ? event.key[shiftKey ? "toUpperCase" : "toLowerCase"]() : event.key;
  if (keyed && key in ARROWS) {
    const by = ARROWS[key].map((v) => v * (ctrlKey ? 10 : 1));
    const next = moved(shiftKey ? [false, false, true, true] : [true, true, true, true], keyed, ...by, doc.size);
    if (isLarge(next)) set({ keyed: next });
    paint();
  } else if (keyed && key === "Enter") endKeys(true);
  else if (ctrlKey && key !== "z" && key !== "s") return;
  else if (key === "ArrowLeft" || key === "ArrowRight") {
    pause();
    go(frame + (key === "ArrowLeft" ? -1 : 1) * (shiftKey ? 10 : 1));
  } else if (/^[1-9]$/.test(key) && key <= doc.targets.length) select(Number(key));
  else if ((key === " " || key === "Enter") && event.target.matches("button")) return;
  else if (KEYS[key]) KEYS[key]();
  else return;
  event.preventDefault();
});

for (const [id, act] of Object.entries({
  play, track, save, absent, add, name: rename, box: beginKeys, undo, menu: () => list(),
  back: () => { pause(); go(frame - 1); }, forward: () => { pause(); go(frame + 1); },
  before: () => beside(-1), skip: leave, finish, "doubt-before": () => jump(-1), "doubt-next": () => jump(1), help: () => $("keys").showModal(),
})) $(id).addEventListener("click", act);

addEventListener("beforeunload", (event) => {
  if (isUnsaved()) event.preventDefault();
});
narrow.addEventListener("change", () => list(false)); // not on every resize, as a keyboard on the screen is one

const source = listen(heard, () => say("siamtrack does not answer: if it still runs, look after the connection", true), again);
const rows = await get("clips").catch((error) => say(error.message, true)) ?? [];
if (rows.length > 1) {
  set({ clips: new Clips(rows, open) });
  list(false);
}
const settledAs = ({ picked, left }) => (picked ? 2 : left ? 1 : 0); // those to pick in come first
const order = [...rows.keys()].sort((a, b) => settledAs(rows[a]) - settledAs(rows[b]));
if (!(await openFirst(order)) && clips) say("No clip can be shown", true);
