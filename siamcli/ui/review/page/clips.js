// The list of clips, the worst first.

const $ = (id) => document.getElementById(id);
const PART = 100; // clips that are added to the list at once
const ORDERS = {
  worst: (a, b) => Boolean(a.error) - Boolean(b.error) || b.bad - a.bad || a.sure - b.sure,
  lost: (a, b) => b.lost - a.lost,
  lowest: (a, b) => (a.lowest ?? 2) - (b.lowest ?? 2),
  name: (a, b) => a.name.localeCompare(b.name),
};

// what the order is made of: a clip that is corrected keeps its place
const ranked = (row) => ({ ...row, bad: row.lost + (row.disagreeing ?? 0) + row.shared, sure: row.lowest ?? 1 });

export class Clips {
  constructor(rows, open) {
    this.rows = rows.map((row, number) => ({ ...ranked(row), number }));
    this.open = open;
    this.items = new Map(); // number of a clip -> its item
    $("order").hidden = !rows.some((row) => row.points);
    for (const name of ["filter", "order"]) $(name).addEventListener("input", () => this.fill(PART));
    $("list").addEventListener("scroll", () => this.#more());
    this.fill(PART);
  }

  // the first `count` of the clips that the filter leaves; the others come when one scrolls to them
  fill(count = this.count) {
    this.count = count;
    const words = $("filter").value.toLowerCase();
    const order = ORDERS[$("order").value];
    this.shown = this.rows.filter((row) => row.name.toLowerCase().includes(words)).sort(order);
    this.#place(this.shown.slice(0, count).map((row) => this.#item(row)));
    this.#mark();
    this.#more();
  }

  #more() {
    const list = $("list");
    if (this.count >= this.shown.length || list.scrollTop + 2 * list.clientHeight < list.scrollHeight) return;
    const next = this.shown.slice(this.count, this.count + PART);
    this.count += PART;
    list.append(...next.map((row) => this.#item(row)));
  }

  // what stays is not touched: a press on it would be lost, and the focus
  #place(items) {
    const list = $("list"), focused = document.activeElement;
    if (items.length === list.children.length && items.every((item, i) => item === list.children[i])) return;
    list.replaceChildren(...items);
    if (list.contains(focused)) focused.focus({ preventScroll: true });
  }

  #item(row) {
    if (!this.items.has(row.number)) this.items.set(row.number, this.#made(row.number));
    const item = this.items.get(row.number), button = item.firstChild, [name, words] = button.childNodes;
    name.data = `${row.unsaved ? "● " : ""}${row.name}`;
    button.title = row.error ? "press to try again" : row.unsaved ? "not saved" : "";
    words.textContent = row.error ?? (row.picked ? "✓ picked" : row.left ? "left out" : row.points ? describe(row) : "");
    words.className = row.error ? "bad" : "";
    return item;
  }

  #made(number) {
    const item = document.createElement("li"), button = document.createElement("button");
    button.append("", document.createElement("small"));
    button.dataset.clip = number;
    button.addEventListener("click", () => this.open(number));
    item.append(button);
    return item;
  }

  mark(number) {
    this.current = number;
    const place = this.shown.findIndex((row) => row.number === number);
    if (place >= this.count) this.fill(place + PART);
    this.#mark()?.scrollIntoView({ block: "nearest" });
  }

  #mark() {
    for (const button of $("list").querySelectorAll("[aria-current]")) button.removeAttribute("aria-current");
    const button = $("list").querySelector(`[data-clip="${this.current}"]`);
    button?.setAttribute("aria-current", "true");
    return button;
  }

  // how good clips look now, by their number
  renew(rows) {
    for (const [number, row] of Object.entries(rows)) Object.assign(this.rows[number], row);
    this.fill();
  }

  // the same, of clips that were not read before
  read(rows) {
    for (const [number, row] of Object.entries(rows)) rows[number] = ranked(row);
    this.renew(rows);
  }

  // what is new of one clip
  learn(number, news) {
    const row = this.rows[number];
    if (Object.entries(news).every(([name, value]) => row[name] === value)) return;
    Object.assign(row, news);
    this.fill();
  }

  // the clips that are neither picked nor left out, from the one after the current one on and around
  waiting() {
    const at = this.rows.findIndex((row) => row.number === this.current);
    const around = [...this.rows.slice(at + 1), ...this.rows.slice(0, at)];
    return around.filter((row) => !row.picked && !row.left).map((row) => row.number);
  }

  // the clip that many places away in the list, null beyond its ends
  beside(step) {
    const open = this.shown.filter((row) => !row.error);
    const at = open.findIndex((row) => row.number === this.current);
    return open[at + step]?.number ?? null;
  }
}

function describe({ lost, disagreeing, shared, lowest }) {
  const share = (v) => `${(100 * v).toFixed(v && v < 0.1 ? 1 : 0)} %`;
  const words = [lost ? `lost ${share(lost)}` : "never lost"];
  if (disagreeing) words.push(`passes disagree ${share(disagreeing)}`);
  if (shared) words.push(`same box ${share(shared)}`);
  if (lowest !== null) words.push(`lowest ${lowest.toFixed(2)}`);
  return words.join(" · ");
}
