// Who is connected to whom, with the buttons. Elements are made once and only
// changed later, so that the keyboard's focus stays where it is.
import { svg } from "./svg.js";

const seconds = (ms) => (ms / 1000).toFixed(1) + " s";

function element(tag, className, parent) {
  const e = document.createElement(tag);
  e.className = className;
  parent?.append(e);
  return e;
}

// A button that is of no use stays focusable and says so.
function button(parent, text, label, press) {
  const b = element("button", "", parent);
  b.type = "button";
  b.textContent = text;
  b.setAttribute("aria-label", label);
  b.addEventListener("click", () => { if (b.getAttribute("aria-disabled") !== "true") press(); });
  return b;
}
const allow = (b, yes) => b.setAttribute("aria-disabled", String(!yes));

function card(parent, className, title) {
  const root = element("section", "card " + className, parent);
  const top = element("div", "top", root);
  const h3 = element("h3", "", top);
  const name = element("span", "", h3);
  name.textContent = title;
  const revision = element("small", "", h3);
  const state = element("span", "state", top);
  const detail = element("p", "detail", root);
  const buttons = element("div", "buttons", root);
  return { root, name, revision, state, detail, buttons };
}

function rollout(r) {
  const changes = r.changes === 1 ? "1 change of leader" : `${r.changes} changes of leader`;
  const without = r.leaderless < 100 ? r.leaderless + "\u00a0ms" : (r.leaderless / 1000).toFixed(2) + "\u00a0s";
  return `${r.lasts ? "rolling out" : "rolled out"}: ${changes} · ${without} without`;
}

export class Map {
  constructor(strike) {
    this.strike = strike;
    this.cards = {};
    this.heads = {};
    this.layer = document.getElementById("wires");
  }

  make(state) {
    const middle = document.getElementById("endpoints");
    const head = element("div", "heading", middle);
    element("h2", "", head).textContent = "Lease API";
    element("p", "score", head).textContent = "three endpoints behind one address, which picks one it names for each new connection";
    for (const e of state.endpoints) {
      const c = card(middle, "endpoint", "endpoint " + e.name);
      c.root.dataset.endpoint = e.name;
      for (const fault of ["silence", "freeze", "mend"]) {
        c[fault] = button(c.buttons, fault, `${fault} endpoint ${e.name}`, () => this.strike(`endpoints/${e.name}/${fault}`));
      }
      this.cards[e.name] = c;
    }
    for (const f of state.fleets) {
      const column = document.getElementById(f.name);
      const head = element("div", "heading", column);
      head.dataset.fleet = f.name;
      const h2 = element("h2", "", head);
      h2.textContent = f.name;
      element("small", "", h2).textContent = f.name === "holdfast" ? "this library" : "the reference";
      this.heads[f.name] = { root: head, summary: element("p", "summary", head), score: element("p", "score", head), rollout: element("p", "score", head) };
      for (const c of f.contenders) {
        const key = f.name + "/" + c.slot;
        const made = card(column, "contender", c.slot);
        made.root.dataset.contender = key;
        for (const fault of ["kill", "cut", "mend"]) {
          const label = fault === "kill" ? `kill ${f.name} ${c.slot}` : `${fault} the network of ${f.name} ${c.slot}`;
          made[fault] = button(made.buttons, fault === "kill" ? "kill" : fault + " network", label,
            () => this.strike(`contenders/${key}/${fault}`));
        }
        if (c.mayBePreferred) {
          made.prefer = button(made.buttons, "prefer", `prefer ${f.name} ${c.slot}`, () => this.strike(`contenders/${key}/prefer`));
        }
        this.cards[key] = made;
      }
    }
    this.made = true;
  }

  show(state) {
    if (!this.made) this.make(state);
    for (const e of state.endpoints) {
      const c = this.cards[e.name];
      c.root.dataset.fault = e.fault;
      c.state.textContent = e.fault ? "✕ " + e.fault : "well";
      const n = state.fleets.flatMap((f) => f.contenders).reduce((sum, x) => sum + (x.links[e.name] ?? 0), 0);
      const named = e.named.length > 0 && !e.named.at(-1).to;
      c.root.dataset.named = named;
      c.detail.textContent = (n === 1 ? "1 connection" : `${n} connections`) +
        (named === !e.fault ? "" : named ? " · still named" : " · not named");
      allow(c.silence, !e.fault);
      allow(c.freeze, !e.fault);
      allow(c.mend, e.fault);
    }
    for (const f of state.fleets) {
      const h = this.heads[f.name];
      h.root.dataset.leaders = f.leaders.join(" ");
      h.root.dataset.lost = f.lost;
      h.root.dataset.leaderless = f.leaderless;
      h.summary.textContent = f.leaders.length ? f.summary : "✕ " + f.summary;
      h.score.textContent = `leases lost: ${f.lost} · without a leader: ${seconds(f.leaderless)}`;
      h.root.dataset.rollout = f.rollout ? (f.rollout.lasts ? "lasts" : "over") : "none";
      h.root.dataset.changes = f.rollout?.changes ?? "";
      h.rollout.textContent = f.rollout ? rollout(f.rollout) : "not rolled out yet";
      for (const x of f.contenders) this.contender(f, x);
    }
    this.wires(state);
  }

  contender(f, x) {
    const c = this.cards[f.name + "/" + x.slot];
    c.root.dataset.state = x.state;
    c.root.dataset.name = x.name;
    c.root.dataset.cut = x.cut;
    c.root.dataset.links = Object.keys(x.links).sort().join(" ");
    c.name.textContent = x.name;
    c.revision.textContent = x.revision && x.state !== "free" ? "revision " + x.revision : "";
    c.state.textContent = { leads: "● leads", "stands by": "○ stands by", down: "✕ down", free: "free" }[x.state];
    const links = Object.entries(x.links).sort().map(([name, n]) => (n > 1 ? `${name} (${n} connections)` : name));
    const nobody = x.state === "free" ? "for the next one of a rollout" : "no connection";
    c.detail.textContent = (links.length ? "connected to " + links.join(", ") : nobody) + (x.cut ? " · network cut" : "") + (x.preferred ? " · preferred" : "");
    allow(c.kill, x.state !== "down" && x.state !== "free");
    allow(c.cut, !x.cut && x.state !== "free");
    allow(c.mend, x.cut);
    c.root.dataset.preferred = x.preferred;
    if (c.prefer) allow(c.prefer, !x.preferred && x.state !== "free");
  }

  // wires draws a line for each pair that is connected; a line that carries
  // nothing is dashed and crossed out.
  wires(state) {
    const frame = this.layer.getBoundingClientRect();
    this.layer.replaceChildren();
    if (!frame.width) return;
    const order = {};
    for (const f of state.fleets) {
      for (const x of f.contenders) {
        for (const e of state.endpoints) {
          const n = x.links[e.name] ?? 0;
          if (!n) continue;
          const from = this.cards[f.name + "/" + x.slot].root.getBoundingClientRect();
          const to = this.cards[e.name].root.getBoundingClientRect();
          const left = from.left < to.left;
          const slot = (order[e.name + left] = (order[e.name + left] ?? 0) + 1);
          const x1 = (left ? from.right : from.left) - frame.left, y1 = from.top + from.height / 2 - frame.top;
          const x2 = (left ? to.left : to.right) - frame.left, y2 = to.top - frame.top + (to.height * slot) / 3;
          const mid = (x1 + x2) / 2;
          const dead = Boolean(e.fault) || x.cut;
          svg("path", {
            class: `wire ${f.name} ${dead ? "dead" : ""} ${x.state === "leads" ? "leads" : ""}`,
            d: `M${x1},${y1} C${mid},${y1} ${mid},${y2} ${x2},${y2}`,
          }, this.layer);
          const my = (y1 + y2) / 2;
          if (dead) svg("path", { class: "cross", d: `M${mid - 5},${my - 5} l10,10 m0,-10 l-10,10` }, this.layer);
          if (n > 1) {
            svg("text", { class: "tag", x: x2 + (left ? -8 : 8), y: y2 - 5, "text-anchor": left ? "end" : "start" }, this.layer).textContent = "×" + n;
          }
        }
      }
    }
  }
}
