// From clip to clip, from doubt to doubt, and playing.

import { Frames } from "./frames.js";
import { get, settled } from "./net.js";
import { Film } from "./film.js";
import { $, clips, doc, film, frame, frames, inWords, picks, playing, points, set, target } from "./state.js";
import { fill, go, put, say, select, stage, take } from "./view.js";

export const narrow = matchMedia("(max-width: 700px)"); // where the list lies over the picture when it is shown

let latest = 0; // of the clips that were asked for

// false: siamtrack cannot show it
export async function open(number) {
  pause();
  const mine = ++latest;
  let next;
  try {
    next = await get(`clips/${number}`);
  } catch (error) {
    say(error.message, true);
    if (error.refused) clips?.learn(number, { error: error.message });
    return !error.refused;
  }
  await settled(); // what was said of the clip before is answered while that is shown
  if (mine !== latest) return true; // somebody went on to another
  set({ doc: null, work: null, live: new Map(), keyed: null, absentFrom: null, adding: null, target: 1 });
  set({ frames: new Frames(number, next.frames), film: next.playable ? new Film(number, next) : null, frame: next.doubts[0]?.first ?? next.first });
  stage.reset(next.size);
  delete $("picture").dataset.frame; // none of this clip is shown yet
  take(next);
  select(next.doubts[0]?.target ?? 1);
  clips?.learn(number, { error: null });
  clips?.mark(number);
  list(false);
  const still = next.frames - next.first === 1;
  if (picks()) say(still ? "Drag a box around the target" : "Go to a frame in which the target is seen, and drag a box around it");
  else if (next.doubts.length) tell(0);
  else say(`Nothing to doubt: ${next.labels.length > 1 ? "every" : "the"} target is believed in every frame`);
  return true;
}

// the first of these clips that can be shown, and which ones were passed over; false: none can
export async function openFirst(numbers) {
  const passed = [];
  for (const number of numbers) {
    const row = clips?.rows[number];
    if (row?.error || !(await open(number))) {
      passed.push(row?.name);
      continue;
    }
    const names = new Intl.ListFormat("en").format(passed);
    if (passed.length) say(`${names} cannot be shown: the list says why; press a clip there to try again`, true);
    return true;
  }
  return false;
}

function tell(place) {
  const { target: number, first, last, reason } = doc.doubts[place];
  const isLost = [...points[number - 1].values()].every((row) => row[0] < first || row[0] > last || row[3] === "l");
  const what = { lost: isLost ? "lost" : "partly lost", disagreement: "passes disagree", "same box": "nearly the box of another target", "low score": "low overlap expected" }[reason];
  const which = `Doubt ${place + 1} of ${doc.doubts.length}: ${doc.targets[number - 1].label}`;
  say(`${which}, ${what}, ${inWords(first, last)}`, false, first, last);
}

export function jump(step) {
  pause();
  const all = doc.doubts, key = (doubt) => doubt.first * 1000 + doubt.target;
  const here = frame * 1000 + target;
  const place = step > 0 ? all.findIndex((doubt) => key(doubt) > here) : all.findLastIndex((doubt) => key(doubt) < here);
  if (place < 0) return say(`No doubt ${step > 0 ? "after" : "before"} this frame`, false, frame, frame);
  set({ target: all[place].target });
  fill();
  go(all[place].first);
  tell(place);
}

export function pause() {
  if (!playing) return;
  set({ playing: null });
  $("play").firstChild.textContent = "▶ ";
  if (doc && film?.video) go(frame); // the exact picture
}

// takes every frame as it is played, `mine` being what `playing` was at the beginning; false: no more of them, at the end it stands at the last one
const playedIn = (mine) => (at, video) => {
  if (playing !== mine) return false;
  if (put(at, video)) return true;
  pause();
  if (at >= doc.frames) go(doc.frames - 1);
  return false;
};

export async function play() {
  if (playing) return pause();
  const mine = {}; // this playing, and none that begins while it waits for a picture
  set({ playing: mine });
  $("play").firstChild.textContent = "❚❚ ";
  if (frame >= doc.frames - 1) go(0);
  if (!(await film?.ready())) return playPictures(mine);
  if (playing === mine) await film.play(frame, playedIn(mine), () => playedIn(mine)(doc.frames), () => playPictures(mine));
}

async function playPictures(mine) {
  let from = frame, began = performance.now();
  while (playing === mine) {
    const next = from + Math.floor(((performance.now() - began) * doc.fps) / 1000);
    if (next !== frame) {
      await frames.get(Math.min(next, doc.frames - 1));
      if (playing !== mine) break;
      if (next >= doc.frames - 1) pause();
      go(next);
      frames.prepare(next);
      const late = ((performance.now() - began) * doc.fps) / 1000 - (next - from);
      if (late > 4) [from, began] = [next, performance.now()]; // slower than the clip, rather than in leaps
    }
    await new Promise(requestAnimationFrame);
  }
}

export function beside(step) {
  const next = clips?.beside(step) ?? null;
  if (next === null) say(step > 0 ? "This is the last clip" : "This is the first clip");
  else open(next);
}

export function list(shown = $("clips").hidden) {
  if (!clips) return;
  $("clips").hidden = narrow.matches && !shown;
  $("menu").hidden = !narrow.matches;
  $("menu").setAttribute("aria-expanded", !$("clips").hidden);
}

// whether the list lies over the picture
export const isCovered = () => narrow.matches && !$("clips").hidden;
