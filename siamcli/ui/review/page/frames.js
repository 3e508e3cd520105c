// The pictures of one clip: asked for one after the other, the last ones kept.

const KEPT = 90; // pictures; decoded ones are large
const AHEAD = 8;

export class Frames {
  constructor(clip, count) {
    Object.assign(this, { clip, count });
    this.kept = new Map();
  }

  // the picture of a frame; null where there is none
  get(index) {
    let picture = this.kept.get(index);
    this.kept.delete(index);
    picture ??= this.#fetch(index);
    this.kept.set(index, picture);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    return picture;
  }

  prepare(index, count = AHEAD) {
    for (let i = index + 1; i <= Math.min(index + count, this.count - 1); i++) this.get(i);
  }

  async #fetch(index) {
    try {
      const reply = await fetch(`clips/${this.clip}/frames/${index}`);
      if (reply.ok) return await createImageBitmap(await reply.blob());
    } catch {} // no answer
    this.kept.delete(index); // it may come later
    return null;
  }
}
