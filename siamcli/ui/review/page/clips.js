// The list of clips, the worst first.

const $ = (id) => document.getElementById(id);
const ORDERS = {
  worst: () => 0,
  lost: (a, b) => b.lost - a.lost,
  lowest: (a, b) => (a.lowest ?? 2) - (b.lowest ?? 2),
  name: (a, b) => a.name.localeCompare(b.name),
};

export class Clips {
  constructor(rows, open) {
    this.rows = rows.map((row, number) => ({ ...row, number }));
    this.open = open;
    $("order").hidden = !rows.some((row) => row.points);
    $("filter").addEventListener("input", () => this.fill());
    $("order").addEventListener("change", () => this.fill());
    this.fill();
  }

  fill() {
    const words = $("filter").value.toLowerCase();
    const order = ORDERS[$("order").value];
    this.shown = this.rows.filter((row) => row.name.toLowerCase().includes(words)).sort(order);
    $("list").replaceChildren(...this.shown.map((row) => this.#item(row)));
    this.mark(this.current);
  }

  #item(row) {
    const item = document.createElement("li"), button = document.createElement("button"), words = document.createElement("small");
    button.textContent = row.name;
    words.textContent = row.error ?? (row.picked ? "✓ picked" : row.points ? describe(row) : "");
    if (row.error) words.className = "bad";
    button.disabled = Boolean(row.error);
    button.dataset.clip = row.number;
    button.addEventListener("click", () => this.open(row.number));
    button.append(words);
    item.append(button);
    return item;
  }

  mark(number) {
    this.current = number;
    for (const button of $("list").querySelectorAll("[aria-current]")) button.removeAttribute("aria-current");
    const button = $("list").querySelector(`[data-clip="${number}"]`);
    button?.setAttribute("aria-current", "true");
    button?.scrollIntoView({ block: "nearest" });
  }

  // how good the clips look now; they stay in their order
  renew(rows) {
    this.rows = this.rows.map((row) => ({ ...row, ...rows[row.number] }));
    this.fill();
  }

  picked(number) {
    this.rows[number].picked = true;
    this.fill();
  }

  failed(number, error) {
    this.rows[number].error = error;
    this.fill();
  }

  // the clip that many places away in the list, null beyond its ends
  beside(step) {
    const open = this.shown.filter((row) => !row.error);
    const at = open.findIndex((row) => row.number === this.current);
    return open[at + step]?.number ?? null;
  }
}

function describe({ lost, disagreeing, lowest }) {
  const share = (v) => `${(100 * v).toFixed(v && v < 0.1 ? 1 : 0)} %`;
  const words = [lost ? `lost ${share(lost)}` : "never lost"];
  if (disagreeing) words.push(`passes disagree ${share(disagreeing)}`);
  if (lowest !== null) words.push(`lowest ${lowest.toFixed(2)}`);
  return words.join(" · ");
}
