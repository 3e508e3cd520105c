// The picture with its boxes: zoom, and the pointer that draws and drags.

import { clamp, cursor, grip, isLarge, moved } from "./boxes.js";

const FARTHEST = 16; // times the fitting size
const LOUPE = 120, ENLARGED = 3; // pixels of the page; times the size of the picture
const REACH = { mouse: 8, pen: 12, touch: 24 }; // pixels of the page

export class Stage {
  // `on`, set later: taken() is told of a pointer, box() is what a pointer takes hold of, drawn(box) what it made, picked(point) a click
  constructor(canvas) {
    Object.assign(this, { canvas, on: null, size: [1, 1], picture: null, stale: false, boxes: [], draft: null });
    this.zoom = 1;
    this.middle = [0.5, 0.5]; // of the view, as parts of the picture
    this.fingers = new Map();
    this.drag = null;
    new ResizeObserver(() => this.paint()).observe(canvas);
    for (const kind of ["down", "move", "up", "cancel"])
      canvas.addEventListener(`pointer${kind}`, (event) => this[kind](event));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  show(picture, boxes) {
    this.picture = picture;
    this.boxes = boxes;
    this.paint();
  }

  reset(size) {
    Object.assign(this, { size, picture: null, boxes: [], draft: null, drag: null, zoom: 1, middle: [0.5, 0.5] });
  }

  // scale and offset from pixels of the source to those of the page
  view() {
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const scale = Math.min(w / this.size[0], h / this.size[1]) * this.zoom;
    const place = (room, side, at) => {
      const all = side * scale;
      return all <= room ? (room - all) / 2 : clamp(room / 2 - at * all, room - all, 0);
    };
    return { scale, x: place(w, this.size[0], this.middle[0]), y: place(h, this.size[1], this.middle[1]) };
  }

  at(event) {
    const area = this.canvas.getBoundingClientRect(), { scale, x, y } = this.view();
    return [(event.clientX - area.left - x) / scale, (event.clientY - area.top - y) / scale];
  }

  // zoom by a factor so that a point of the source stays where it is
  zoomBy(factor, point = this.size.map((side, i) => side * this.middle[i]), still = null) {
    this.zoom = clamp(this.zoom * factor, 1, FARTHEST);
    this.middle = point.map((v, i) => v / this.size[i]);
    if (still) {
      const { scale } = this.view(), area = this.canvas.getBoundingClientRect();
      const off = [still.clientX - area.left - area.width / 2, still.clientY - area.top - area.height / 2];
      this.middle = point.map((v, i) => (v - off[i] / scale) / this.size[i]);
    }
    this.paint();
  }

  wheel(event) {
    event.preventDefault();
    this.zoomBy(Math.exp(-clamp(event.deltaY, -60, 60) / 200), this.at(event), event);
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, event);
    if (this.fingers.size === 2) { // two fingers zoom and move the picture
      this.drag = this.draft = null;
      this.paint();
      return;
    }
    if (event.button !== 0 || this.fingers.size > 1 || !this.picture || this.stale) return;
    this.on.taken();
    const at = this.at(event), box = this.on.box();
    const edges = grip(box, at, REACH[event.pointerType] / this.view().scale);
    const inside = at.map((v, i) => clamp(v, 0, this.size[i]));
    this.drag = edges ? { edges, start: box, at } : { edges: [false, false, true, true], start: [...inside, ...inside], at };
    this.drag.id = event.pointerId;
    this.drag.page = [event.clientX, event.clientY];
  }

  move(event) {
    const before = this.fingers.get(event.pointerId);
    if (before) this.fingers.set(event.pointerId, event);
    if (this.fingers.size === 2 && before) return this.pinch(event, before);
    if (!this.drag) {
      if (event.pointerType === "mouse")
        this.canvas.style.cursor = cursor(grip(this.on.box(), this.at(event), REACH.mouse / this.view().scale));
      return;
    }
    if (event.pointerId !== this.drag.id || !this.isDrag(event)) return;
    const [x, y] = this.at(event);
    this.drag.under = event.pointerType === "touch" && !this.drag.edges.every(Boolean) ? [x, y] : null;
    this.draft = moved(this.drag.edges, this.drag.start, x - this.drag.at[0], y - this.drag.at[1], this.size);
    this.paint();
  }

  isDrag(event) {
    this.drag.far ||= Math.hypot(event.clientX - this.drag.page[0], event.clientY - this.drag.page[1]) > 3;
    return this.drag.far;
  }

  pinch(event, before) {
    const [other] = [...this.fingers.values()].filter((finger) => finger.pointerId !== event.pointerId);
    const far = (finger) => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY);
    const center = (finger) => ({ clientX: (finger.clientX + other.clientX) / 2, clientY: (finger.clientY + other.clientY) / 2 });
    this.zoomBy(far(event) / Math.max(far(before), 1), this.at(center(before)), center(event));
  }

  up(event) {
    this.fingers.delete(event.pointerId);
    if (!this.drag || event.pointerId !== this.drag.id) return;
    const { draft, drag } = this;
    this.drag = this.draft = null;
    if (!drag.far) this.on.picked(this.at(event));
    else if (draft && isLarge(draft)) this.on.drawn(draft);
    this.paint();
  }

  cancel(event) {
    this.fingers.delete(event.pointerId);
    this.drag = this.draft = null;
    this.paint();
  }

  paint() {
    const { canvas, picture } = this, ratio = devicePixelRatio;
    const pen = canvas.getContext("2d");
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (!picture) return;
    const { scale, x, y } = this.view();
    pen.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    pen.imageSmoothingEnabled = scale < 3;
    pen.drawImage(picture, 0, 0, ...this.size);
    for (const shape of this.boxes) this.outline(pen, shape, scale);
    const draft = { box: this.draft, color: "#ffffff", handles: true, name: "" };
    if (this.draft) this.outline(pen, draft, scale);
    if (this.draft && this.drag?.under) this.loupe(pen, draft, ratio);
  }

  // what lies under the finger, enlarged, in the upper corner away from it
  loupe(pen, draft, ratio) {
    const [x, y] = this.drag.under, { scale, x: offset } = this.view(), near = ENLARGED * scale;
    const left = offset + x * scale > this.canvas.clientWidth / 2 ? 6 : this.canvas.clientWidth - LOUPE - 6;
    pen.setTransform(ratio, 0, 0, ratio, ratio * left, ratio * 6);
    pen.strokeStyle = "#e8eaed";
    pen.lineWidth = 4;
    pen.beginPath();
    pen.roundRect(0, 0, LOUPE, LOUPE, 8);
    pen.stroke();
    pen.clip();
    pen.fillStyle = "#000";
    pen.fill();
    pen.transform(near, 0, 0, near, LOUPE / 2 - x * near, LOUPE / 2 - y * near);
    pen.drawImage(this.picture, 0, 0, ...this.size);
    this.outline(pen, { ...draft, handles: false }, near);
  }

  outline(pen, { box, color, dashed, handles, name, faint }, scale) {
    const [left, top, right, bottom] = box, unit = 1 / scale;
    pen.globalAlpha = faint ? 0.6 : 1;
    for (const [style, width] of [["rgb(0 0 0 / .7)", 4], [color, 2]]) {
      pen.strokeStyle = style;
      pen.lineWidth = width * unit;
      pen.setLineDash(dashed ? [7 * unit, 5 * unit] : []);
      pen.strokeRect(left, top, right - left, bottom - top);
    }
    pen.setLineDash([]);
    pen.fillStyle = color;
    if (handles)
      for (const x of [left, right]) for (const y of [top, bottom]) {
        pen.beginPath();
        pen.arc(x, y, 4.5 * unit, 0, 7);
        pen.fill();
      }
    if (name) {
      pen.font = `${600} ${13 * unit}px system-ui, sans-serif`;
      const wide = pen.measureText(name).width + 8 * unit, above = Math.max(top - 18 * unit, 0);
      const at = clamp(left, 0, Math.max(0, this.size[0] - wide)); // no name is cut at the edge of the picture
      pen.fillRect(at, above, wide, 18 * unit);
      pen.fillStyle = "#000";
      pen.fillText(name, at + 4 * unit, above + 13.5 * unit);
    }
    pen.globalAlpha = 1;
  }
}
