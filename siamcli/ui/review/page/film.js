// The file itself, where the browser plays it: with sound, and told which frame it shows.

const PATIENCE = 5000; // milliseconds for the first picture

export class Film {
  // `times`: [frame, seconds] in order; `begin`: the seconds of frame 0
  constructor(clip, { fps, times, begin }) {
    Object.assign(this, { clip, fps, times: times.length ? times : [[0, begin]], begin, video: null });
  }

  // true when it can be played
  ready() {
    this.opened ??= this.#open();
    return this.opened;
  }

  #open() {
    const video = document.createElement("video");
    if (!video.requestVideoFrameCallback) return false;
    return new Promise((told) => {
      // its clock may begin elsewhere than that of siamtrack
      video.requestVideoFrameCallback((_, shown) => {
        this.video = video;
        this.shift = shown.mediaTime - this.begin;
        told(true);
      });
      video.onerror = () => told(false);
      setTimeout(told, PATIENCE, false);
      video.preload = "auto";
      video.src = `clips/${this.clip}/video`;
    });
  }

  // plays from a frame; `shown` is told every frame that is shown, and gives false to end it; then, and at the
  // end of the file, it has `ended`
  async play(frame, shown, ended) {
    const { video } = this, half = 0.5 / this.fps; // into the frame, so that no rounding shows the one before
    const next = (_, { mediaTime }) => {
      if (shown(this.#frame(mediaTime - this.shift), video)) video.requestVideoFrameCallback(next);
      else {
        video.pause();
        ended();
      }
    };
    video.currentTime = this.#time(frame) + half + this.shift;
    await new Promise((told) => video.addEventListener("seeked", told, { once: true }));
    video.requestVideoFrameCallback(next);
    video.onended = ended;
    await video.play();
  }

  #near(value, part) {
    let low = 0, high = this.times.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle][part] + this.times[middle + 1][part] < 2 * value) low = middle + 1;
      else high = middle;
    }
    return this.times[low];
  }

  #frame(time) {
    const [frame, at] = this.#near(time, 1);
    return frame + Math.round((time - at) * this.fps);
  }

  #time(frame) {
    const [near, at] = this.#near(frame, 0);
    return at + (frame - near) / this.fps;
  }
}
