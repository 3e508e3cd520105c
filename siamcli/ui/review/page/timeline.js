// The time line: per target the confidence of every frame, lost stretches, what a human said.

import { PENDING } from "./state.js";

const ROW = 34, GAP = 4, RULER = 14; // pixels of the page

export class Timeline {
  constructor(canvas, seek) {
    Object.assign(this, { canvas, seek, doc: null, frame: 0, target: 1, base: null, live: null });
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#seek(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.#seek(event);
    });
  }

  #seek(event) {
    if (!this.doc) return;
    const area = this.canvas.getBoundingClientRect();
    const part = (event.clientX - area.left) / area.width;
    const row = Math.floor((event.clientY - area.top) / (ROW + GAP)) + 1;
    this.seek(this.doc.first + Math.floor(part * (this.doc.frames - this.doc.first)),
      event.type === "pointerdown" && row <= this.doc.targets.length ? row : null);
  }

  // `points`: per target frame -> its row
  show(doc, points) {
    Object.assign(this, { doc, points });
    // the picture does not change its size when the first target comes
    this.canvas.style.height = `${Math.max(1, doc.targets.length) * (ROW + GAP) + RULER}px`;
    this.draw();
  }

  // where it is, and how far it is tracked again: [first, last] or null
  at(frame, target, live) {
    Object.assign(this, { frame, target, live });
    this.cursor();
  }

  draw() {
    if (!this.doc || !this.canvas.clientWidth) return;
    const ratio = devicePixelRatio, { canvas, doc } = this;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    this.base = new OffscreenCanvas(canvas.width, canvas.height);
    const pen = this.base.getContext("2d");
    pen.scale(ratio, ratio);
    doc.targets.forEach((target, i) => this.#row(pen, target, i, i * (ROW + GAP)));
    this.#ruler(pen);
    this.cursor();
  }

  x(frame) {
    return ((frame - this.doc.first) * this.canvas.clientWidth) / (this.doc.frames - this.doc.first);
  }

  #row(pen, target, number, top) {
    const wide = Math.ceil(this.canvas.clientWidth);
    const low = new Float32Array(wide).fill(2), lost = new Uint8Array(wide), absent = new Uint8Array(wide);
    const each = Math.max(1, this.x(this.doc.first + 1));
    for (const [frame, , score, state, source, agreement] of this.points[number].values()) {
      const sure = source === "h" || state === "a" ? 1 : Math.min(score, agreement ?? 1);
      const from = Math.floor(this.x(frame)), to = Math.min(wide, Math.ceil(this.x(frame) + each));
      for (let x = from; x < to; x++) {
        low[x] = Math.min(low[x], sure);
        if (state === "l") lost[x] = 1;
        if (state === "a") absent[x] = 1;
      }
    }
    pen.fillStyle = "#22262c";
    pen.fillRect(0, top, wide, ROW);
    for (let x = 0; x < wide; x++) {
      if (low[x] > 1) continue;
      pen.fillStyle = absent[x] ? "#5a616b" : lost[x] ? "#b23b3b" : low[x] < this.doc.doubted ? "#c9772a" : "#31914a";
      const high = absent[x] ? 4 : lost[x] ? ROW : 3 + low[x] * (ROW - 3);
      pen.fillRect(x, top + ROW - high, 1, high);
    }
    pen.fillStyle = PENDING;
    for (const [frame, , , state, source] of this.points[number].values())
      if (source === "h" && state !== "a") this.#mark(pen, frame, top, "#ffffff");
    for (const { frame, target: of, box } of this.doc.pending)
      if (of === number + 1 && box) this.#mark(pen, frame, top, PENDING);
      else if (of === number + 1) pen.fillRect(this.x(frame), top + ROW - 4, each, 4);
    pen.font = "600 12px system-ui, sans-serif";
    pen.lineWidth = 3;
    pen.strokeStyle = "rgb(0 0 0 / .8)";
    pen.strokeRect(6, top + 5, 9, 9);
    pen.strokeText(target.label, 20, top + 14);
    pen.fillStyle = this.doc.colors[number];
    pen.fillRect(6, top + 5, 9, 9);
    pen.fillStyle = "#e8eaed";
    pen.fillText(target.label, 20, top + 14);
  }

  #mark(pen, frame, top, color) {
    const x = this.x(frame + 0.5);
    pen.fillStyle = color;
    pen.beginPath();
    pen.moveTo(x, top + ROW - 11);
    pen.lineTo(x + 5, top + ROW - 5);
    pen.lineTo(x, top + ROW + 1);
    pen.lineTo(x - 5, top + ROW - 5);
    pen.fill();
  }

  #ruler(pen) {
    const top = this.canvas.clientHeight - RULER, { first, frames } = this.doc;
    const wish = ((frames - first) * 80) / this.canvas.clientWidth, power = 10 ** Math.floor(Math.log10(Math.max(wish, 1)));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= wish);
    pen.fillStyle = "#a9b0b9";
    pen.font = "11px system-ui, sans-serif";
    for (let frame = Math.ceil(first / step) * step; frame < frames; frame += step)
      if (this.x(frame) + 2 + pen.measureText(frame).width <= this.canvas.clientWidth) pen.fillText(frame, this.x(frame) + 2, top + 11);
  }

  cursor() {
    if (!this.base) return;
    const pen = this.canvas.getContext("2d"), ratio = devicePixelRatio;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.drawImage(this.base, 0, 0);
    pen.scale(ratio, ratio);
    if (this.live) {
      pen.fillStyle = `${PENDING}59`;
      const left = this.x(this.live[0]);
      pen.fillRect(left, 0, Math.max(2, this.x(this.live[1] + 1) - left), this.canvas.clientHeight - RULER);
    }
    pen.strokeStyle = "#ffffff";
    pen.lineWidth = 1;
    if (this.doc.targets.length) pen.strokeRect(0.5, (this.target - 1) * (ROW + GAP) + 0.5, this.canvas.clientWidth - 1, ROW - 1);
    pen.fillStyle = "#ffffff";
    pen.fillRect(this.x(this.frame + 0.5) - 1, 0, 2, this.canvas.clientHeight);
    this.canvas.setAttribute("aria-valuemin", this.doc.first);
    this.canvas.setAttribute("aria-valuemax", this.doc.frames - 1);
    this.canvas.setAttribute("aria-valuenow", this.frame);
  }
}
