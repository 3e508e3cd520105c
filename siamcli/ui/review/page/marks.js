// What a person says of targets, and what siamtrack is asked to do with it.

import { fromSides, isLarge, toSides } from "./boxes.js";
import { get, send } from "./net.js";
import { $, absentFrom, adding, boxOf, clips, doc, frame, inWords, keyed, picks, points, set, target, work } from "./state.js";
import { openFirst, pause } from "./travel.js";
import { paint, say, select, take } from "./view.js";

export function change(what, after = () => {}, mark = null) {
  const clip = doc.clip, answered = () => (expected = expected.filter((other) => other !== mark));
  return send(clip, () => ({ ...what, version: doc.version }), (next) => {
    answered();
    take(next);
    expected.filter((other) => other.clip === doc.clip).forEach(show);
    after();
  }).catch(async (error) => {
    answered();
    await reload().catch(() => {});
    say(error.message, true);
  });
}

// boxes are shown at once, until siamtrack has answered: the answer to what was said before does not know them
let expected = [];
function expect(at, box) {
  const mark = { clip: doc.clip, target, frame: at, box };
  expected.push(mark);
  show(mark);
  return mark;
}

function show(mark) {
  doc.pending = [...doc.pending.filter((other) => other.target !== mark.target || other.frame !== mark.frame), mark];
  paint();
}

export async function reload() {
  take(await get(`clips/${doc.clip}`));
}

export function undo() {
  if (doc.undo) change({ do: "undo" }, () => say("Undone"));
}

const told = (words) => say(picks() ? words : `${words}: track again (T)`);

export function commit(box) {
  pause();
  set({ keyed: null });
  const said = { box: toSides(box), frame };
  if (adding || !doc.targets.length) {
    const label = adding;
    set({ adding: null });
    change({ do: "add", label, ...said }, () => {
      select(doc.targets.length);
      const name = doc.targets.at(-1).label;
      say(picks() ? `${name} begins in frame ${said.frame}: Use (Enter) takes it, N adds another` : `${name} begins in frame ${said.frame}: track again (T) follows it`);
    });
    return;
  }
  const words = `Box of ${doc.targets[target - 1].label} in frame ${said.frame}`;
  change({ do: "box", target, ...said }, () => told(words), expect(said.frame, said.box));
}

export function choose(point) {
  const inside = (box) => box && point[0] >= box[0] && point[0] <= box[2] && point[1] >= box[1] && point[1] <= box[3];
  const hit = doc.targets.findIndex((_, i) => inside(boxOf(i + 1, frame)));
  if (hit >= 0) select(hit + 1);
  else say("Press on one corner of the target and drag to the opposite one");
}

export function beginKeys() {
  if (keyed) return endKeys(true);
  pause();
  const [w, h] = doc.size, row = [...(points[target - 1]?.values() ?? [])].findLast((one) => one[0] <= frame && one[1]);
  const near = !adding && (boxOf(target, frame) ?? (row && fromSides(row[1])));
  set({ keyed: near || [0.4 * w, 0.4 * h, 0.6 * w, 0.6 * h] });
  $("picture").focus();
  if (matchMedia("(pointer: coarse)").matches) say("Drag the box or its edges; Box again keeps it");
  else say("Arrows move the box, with Shift they resize it, with Ctrl by ten; Enter or B keeps it, Esc not");
  paint();
}

export function endKeys(keep = false) {
  const box = keyed;
  set({ keyed: null });
  if (keep && isLarge(box)) commit(box);
  else say("");
  paint();
}

export function absent() {
  if (!doc.targets.length) return;
  pause();
  if (absentFrom === null) {
    set({ absentFrom: { target, frame } });
    hasNoEnd();
    return;
  }
  const { target: one, frame: from } = absentFrom; // whichever target is selected by now
  const [first, last] = [Math.min(from, frame), Math.max(from, frame)];
  set({ absentFrom: null });
  change({ do: "absent", target: one, first, last }, () => told(`${doc.targets[one - 1].label} is absent in ${inWords(first, last)}`));
}

// whether an absence waits for its last frame, which is said then: what is used or tracked would lack it
function hasNoEnd() {
  if (absentFrom === null) return false;
  const { label } = doc.targets[absentFrom.target - 1];
  say(`${label} is absent from frame ${absentFrom.frame}: go to the last such frame and press A again; Esc forgets it`);
  return true;
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

export async function rename() {
  if (!doc.targets.length) return;
  const number = target, label = await ask("Name of the target", doc.labels[number - 1] ?? doc.targets[number - 1].label);
  if (label) change({ do: "name", target: number, label }, () => say(`Target ${number} is called ${label}`));
}

export async function add() {
  pause();
  set({ adding: await ask("Name of the new target", `target ${doc.targets.length + 1}`) });
  if (adding) say(`Drag a box around ${adding}, or press B for a box by keys; Esc forgets it`);
  paint();
}

export function cancel() {
  if (keyed) return endKeys();
  if (work?.work === "track") change({ do: "stop" });
  else if (absentFrom !== null || adding) say("");
  else if (picks()) return leave();
  set({ absentFrom: null, adding: null });
  paint();
}

export function track() {
  if (work?.work === "track") return change({ do: "stop" });
  if (hasNoEnd()) return;
  if (!doc.pending.length) return say("Nothing to track again: correct a box first");
  pause();
  change({ do: "track" });
}

export function save() {
  if (hasNoEnd()) return;
  if (!picks() && doc.pending.length) return say("Some corrections are not tracked yet: track again first (T)", true);
  if (doc.unsaved) change({ do: "save" });
  else if (picks()) say(doc.targets.length ? "These boxes are used already" : "Nothing to use yet: drag a box around the target");
}

let warned = null; // the state whose boxes were said not to be used
export function finish() {
  const unused = (clips?.rows ?? [doc]).filter((one) => one.unsaved).map((one) => one.name);
  const state = [doc.clip, doc.version, ...unused].join(" ");
  if (unused.length && warned !== state) {
    warned = state;
    $("picture").focus(); // Enter would press the button again
    const which = unused.length === 1 && doc.unsaved ? "These boxes" : `The boxes of ${new Intl.ListFormat("en").format(unused)}`;
    return say(`${which} are not used yet: Use (Enter) takes them; ${clips ? "Finish" : "Cancel"} again ends without them`, true);
  }
  change({ do: "finish" });
}

// goes on, or ends, without the boxes of this clip
export async function leave() {
  if (!clips) return finish();
  clips.learn(doc.clip, { left: true });
  change({ do: "leave" }); // a page that is loaded anew asks siamtrack
  if (!(await opened())) say("No other clip is left: Finish ends it, and the same command asks again for what was left out");
}

// the next clip that waits for boxes, else the end
export async function onward() {
  if (!(await opened())) finish();
}

// whether a clip that waits for boxes is shown
const opened = async () => Boolean(clips) && openFirst(clips.waiting());
