// What the page knows, and what can be told from it.  Every module reads it; `set` alone changes it.

import { fromSides } from "./boxes.js";

export const $ = (id) => document.getElementById(id);

export let doc = null; // the clip as siamtrack has it
export let points = []; // per target: frame -> its row
export let frame = 0, target = 1;
export let frames = null; // the pictures of the clip
export let film = null; // the clip as the browser plays it
export let clips = null; // the list, null where there is one clip
export let playing = null; // what plays: an object of its own each time
export let work = null; // what is under way: {work, step, of}
export let live = new Map(); // what is tracked again so far: "target frame" -> row
export let keyed = null; // the box that is moved by keys
export let absentFrom = null; // the target and the frame from which it is absent, until the last one is named
export let adding = null; // the name of a target that waits for its first box

export function set(changes) {
  const all = { doc, points, frame, target, frames, film, clips, playing, work, live, keyed, absentFrom, adding, ...changes };
  ({ doc, points, frame, target, frames, film, clips, playing, work, live, keyed, absentFrom, adding } = all);
}

export const PENDING = "#ff5fe0"; // what a human said and is not tracked yet: no colour of a target, of a doubt or a loss
export const inWords = (first, last) => (first === last ? `frame ${first}` : `frames ${first}-${last}`);
export const picks = () => doc.mode === "pick";
export const pendingAt = (number, at) => doc.pending.find((mark) => mark.target === number && mark.frame === at);

// the box of a target in a frame, null where it has none
export function boxOf(number, at) {
  const mark = pendingAt(number, at);
  if (mark) return mark.box && fromSides(mark.box);
  const row = live.get(`${number} ${at}`) ?? points[number - 1]?.get(at);
  return row?.[1] ? fromSides(row[1]) : null;
}

// what a pointer takes hold of; where a target is lost, it draws anew
export function boxToTake() {
  if (adding) return null;
  const isLost = points[target - 1]?.get(frame)?.[3] === "l" && !pendingAt(target, frame);
  return keyed ?? (isLost ? null : boxOf(target, frame));
}
