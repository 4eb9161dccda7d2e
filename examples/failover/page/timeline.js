// The recent past, one lane each: endpoints, fleets and their contenders.
import { patterns, svg } from "./svg.js";

// Where there is little room the lanes show less of the past.
const narrow = 640, shorter = 20000;
const gutter = 92, top = 26, lane = { endpoint: 22, fleet: 30, contender: 42 };
const patternOf = { silent: "silent", frozen: "frozen", "cut off": "cut" };

export class Timeline {
  constructor(root, legend) {
    this.root = root;
    patterns(root);
    this.layer = svg("g", {}, root);
    this.explain(legend);
  }

  draw(state, now) {
    const width = this.root.clientWidth || 900;
    const future = state.lease * 1.25;
    const past = width < narrow ? Math.min(shorter, state.window) : state.window;
    const right = width - 14;
    this.x = (at) => gutter + ((at - (now - past)) / (past + future)) * (right - gutter);
    this.now = now;
    this.right = right;
    this.g = svg("g", {});
    let y = top;
    this.axis(past, now);
    y = this.group("Lease API", y);
    for (const e of state.endpoints) y = this.endpoint(e, y);
    for (const f of state.fleets) {
      y = this.group(f.name, y + 6);
      y = this.fleet(f, y - lane.endpoint + 2);
      for (const c of f.contenders) y = this.contender(f, c, y);
    }
    const height = y + 6;
    const at = this.x(now);
    svg("line", { class: "now", x1: at, x2: at, y1: top - 6, y2: height - 6 }, this.g);
    for (const line of this.g.querySelectorAll(".grid")) line.setAttribute("y2", height - 6);
    this.root.setAttribute("height", height);
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.layer.replaceWith(this.g);
    this.layer = this.g;
  }

  axis(past, now) {
    for (let s = -Math.floor(past / 1000); s <= 0; s += 10) {
      const x = this.x(now + s * 1000);
      if (s) svg("line", { class: "grid", x1: x, x2: x, y1: top - 4, y2: top }, this.g);
      svg("text", { class: "small", x, y: 15, "text-anchor": "middle" }, this.g, s ? `−${-s} s` : "now");
    }
  }

  group(name, y) {
    svg("text", { class: "group", x: 12, y: y + 15 }, this.g, name);
    return y + lane.endpoint;
  }

  label(text, y) {
    svg("text", { x: 22, y }, this.g, text);
  }

  // clip gives the visible part of a stretch in pixels, or nothing.
  clip(s) {
    const from = Math.max(this.x(s.from), gutter), to = Math.min(this.x(s.to ?? this.now), this.right);
    return to > from ? { from, width: Math.max(to - from, 1.5) } : null;
  }

  // block draws a stretch, with the first of the texts that there is room for.
  block(s, y, height, attributes, texts = [], textClass = "") {
    const c = this.clip(s);
    if (!c) return;
    svg("rect", { x: c.from, y, width: c.width, height, rx: 2, ...attributes }, this.g);
    const text = texts.find((t) => c.width > t.length * 6.6 + 8);
    if (text) {
      svg("text", { class: textClass, x: c.from + c.width / 2, y: y + height / 2 + 4, "text-anchor": "middle" }, this.g, text);
    }
  }

  // endpoint shows what ails it, and under that when the address named it.
  endpoint(e, y) {
    const middle = y + lane.endpoint / 2;
    this.label(e.name, middle + 4);
    for (const s of e.faults) {
      this.block(s, middle - 8, 14, { fill: `url(#${patternOf[s.what]})`, class: "bad" }, [s.what], "badink badhalo");
    }
    for (const s of e.named) {
      const r = this.clip(s);
      if (r) svg("line", { class: "named", x1: r.from, x2: r.from + r.width, y1: middle + 9, y2: middle + 9 }, this.g);
    }
    return y + lane.endpoint;
  }

  // fleet shows who leads, that nobody does, and until when the lease runs.
  fleet(f, y) {
    const h = 18;
    if (f.leaseEnd > this.now) {
      const from = this.x(this.now);
      svg("rect", { class: "lease " + f.name, x: from, y: y + 2, width: this.x(f.leaseEnd) - from, height: h, rx: 2 }, this.g);
      if (this.x(f.leaseEnd) - from > 42) svg("text", { class: "small", x: from + 6, y: y + 15 }, this.g, "lease");
    }
    for (const c of f.contenders) for (const s of c.terms) this.block(s, y + 2, h, { class: "term " + f.name }, [`${s.what} leads`, s.what]);
    for (const s of f.gaps) {
      const length = (((s.to ?? this.now) - s.from) / 1000).toFixed(1);
      this.block(s, y + 2, h, { fill: "url(#nobody)", class: "bad" }, [`nobody leads for ${length} s`, `nobody ${length} s`, `${length} s`], "badink badhalo");
    }
    for (const s of f.overlaps) this.block(s, y + 2, h, { fill: "url(#cut)", class: "bad" }, ["two lead"], "badink badhalo");
    return y + lane.fleet;
  }

  // contender shows the process as a line, its term as a bar with a mark for
  // each renewal, and under it which endpoint it was connected to.
  contender(f, c, y) {
    const middle = y + 10;
    this.label(c.slot, middle + 4);
    for (const s of c.runs) {
      const r = this.clip(s);
      if (!r) continue;
      svg("line", { class: "life", x1: r.from, x2: r.from + r.width, y1: middle, y2: middle }, this.g);
      if (s.to && this.x(s.to) > gutter) {
        const x = this.x(s.to);
        svg("path", { class: "cross", d: `M${x - 4},${middle - 4} l8,8 m0,-8 l-8,8` }, this.g);
      }
    }
    for (const s of c.terms) this.block(s, middle - 7, 14, { class: "term " + f.name });
    for (const at of c.renewals) {
      const x = this.x(at);
      if (x > gutter) svg("line", { class: "beat " + f.name, x1: x, x2: x, y1: middle - 5, y2: middle + 5 }, this.g);
    }
    for (const s of c.cuts) this.block(s, middle - 8, 16, { fill: "url(#cut)", class: "bad", "fill-opacity": .75 }, ["network cut", "cut"], "badink badhalo");
    for (const s of c.linked) {
      const r = this.clip(s);
      if (!r) continue;
      const yl = middle + 20;
      svg("line", { class: "base", x1: r.from + 1, x2: r.from + r.width - 1, y1: yl - 4, y2: yl - 4 }, this.g);
      if (r.width > s.what.length * 6 + 4) svg("text", { class: "small halo", x: r.from + 3, y: yl }, this.g, s.what);
    }
    return y + lane.contender;
  }

  explain(legend) {
    const entry = (draw, text) => {
      const li = document.createElement("li");
      const icon = svg("svg", { width: 34, height: 16, "aria-hidden": "true" }, li);
      draw(icon);
      li.append(text);
      legend.append(li);
    };
    const box = (attributes) => (icon) => svg("rect", { x: 1, y: 1, width: 32, height: 14, rx: 2, ...attributes }, icon);
    entry((icon) => {
      box({ class: "term holdfast" })(icon);
      for (const x of [8, 17, 26]) svg("line", { class: "beat holdfast", x1: x, x2: x, y1: 4, y2: 12 }, icon);
    }, "a term, a mark for each renewal");
    entry(box({ class: "lease holdfast" }), "what is left of the lease");
    entry(box({ fill: "url(#nobody)", class: "bad" }), "nobody leads");
    entry(box({ fill: "url(#silent)", class: "bad" }), "silent: no byte passes");
    entry(box({ fill: "url(#frozen)", class: "bad" }), "frozen: accepts, reads nothing");
    entry(box({ fill: "url(#cut)", class: "bad" }), "host off the network, or two leaders");
    entry((icon) => svg("line", { class: "named", x1: 1, x2: 33, y1: 9, y2: 9 }, icon), "named by the address");
    entry((icon) => svg("path", { class: "cross", d: "M13,4 l8,8 m0,-8 l-8,8" }, icon), "a process ends");
    entry((icon) => {
      svg("line", { class: "base", x1: 1, x2: 33, y1: 9, y2: 9 }, icon);
      svg("text", { class: "halo", x: 4, y: 13 }, icon, "a");
    }, "connected to that endpoint");
  }
}
