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
      const refuse = () => {
        video.removeAttribute("src");
        video.load(); // lets go of the connection
        this.opened = false;
        told(false);
        this.broken?.();
      };
      video.onerror = refuse; // also later, where the file is damaged or the connection breaks
      video.onloadedmetadata = () => video.videoWidth || refuse(); // of some files only the sound plays
      setTimeout(() => this.video || refuse(), PATIENCE);
      video.preload = "auto";
      video.src = `clips/${this.clip}/video`;
    });
  }

  // plays from a frame; `shown` is told every frame that is shown, and gives false to stop it; `over`: the file ends;
  // `broken`: the browser cannot go on, now or when it is asked the next time
  async play(frame, shown, over, broken) {
    const { video } = this, half = 0.5 / this.fps; // into the frame, so that no rounding shows the one before
    Object.assign(this, { shown, broken });
    const next = (_, { mediaTime }) => {
      if (this.shown !== shown) return; // it was begun again
      const [picture, time] = this.#taken(mediaTime);
      if (shown(this.#frame(time - this.shift), picture)) video.requestVideoFrameCallback(next);
      else video.pause();
    };
    video.currentTime = this.#time(frame) + half + this.shift;
    await new Promise((told) => video.addEventListener("seeked", told, { once: true }));
    if (this.shown !== shown) return;
    video.requestVideoFrameCallback(next);
    video.onended = over;
    await video.play().catch((error) => error.name === "AbortError" || broken()); // it was paused before it began
  }

  // the picture that is shown now, and its time: the video may be a frame further than the news of it
  #taken(time) {
    const { video } = this;
    if (!globalThis.VideoFrame) return [video, time];
    const frame = new VideoFrame(video);
    const upright = frame.displayWidth === video.videoWidth && frame.displayHeight === video.videoHeight;
    this.canvas ??= new OffscreenCanvas(video.videoWidth, video.videoHeight);
    this.canvas.getContext("2d").drawImage(frame, 0, 0, video.videoWidth, video.videoHeight);
    const at = frame.timestamp / 1e6;
    frame.close();
    return upright ? [this.canvas, at] : [video, time];
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
