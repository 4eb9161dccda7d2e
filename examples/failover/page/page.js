// The page draws the states that the program sends and asks for faults. It
// derives nothing: what a state means is decided in board.go.
import { Map } from "./map.js";
import { Timeline } from "./timeline.js";

const byId = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

async function strike(path) {
  let text = "";
  try {
    const answer = await fetch(path, { method: "POST" });
    if (!answer.ok) text = (await answer.text()).trim();
  } catch {
    text = "The program does not answer.";
  }
  byId("refused").textContent = text;
}

const map = new Map(strike);
const timeline = new Timeline(byId("time"), byId("legend"));
let state = null;
let ahead = 0; // the program's clock less ours

function log(entries) {
  const clock = (at) => new Date(at).toTimeString().slice(0, 8);
  const keys = entries.map((e) => e.at + e.fleet + e.text);
  const list = byId("log");
  // Only what is new is added, so that a screen reader says each line once.
  const known = new Set([...list.children].map((li) => li.dataset.key));
  entries.forEach((e, i) => {
    if (known.has(keys[i])) return;
    const li = document.createElement("li");
    li.dataset.key = keys[i];
    const time = document.createElement("time");
    time.textContent = clock(e.at);
    const fleet = document.createElement("span");
    fleet.textContent = e.fleet;
    const text = document.createElement("span");
    text.textContent = e.text;
    text.className = e.grave ? "grave" : "";
    li.append(time, fleet, text);
    list.insertBefore(li, list.children[i] ?? null);
  });
  while (list.children.length > entries.length) list.lastChild.remove();
}

// What concerns everything is at the top. The program says what is so; a
// button only asks.
function controls(next) {
  const broken = next.endpoints.some((e) => e.fault) || next.fleets.some((f) => f.contenders.some((c) => c.cut));
  const ready = next.fleets.every((f) => f.leaders.length === 1 && f.contenders.every((c) => c.state === "free" || c.ready && !c.cut));
  byId("incident").setAttribute("aria-disabled", String(!ready));
  byId("rollout").setAttribute("aria-disabled", String(!ready || next.fleets.some((f) => f.rollout?.lasts)));
  byId("mend").setAttribute("aria-disabled", String(!broken));
  byId("slow").checked = next.slow;
  byId("slow-text").textContent = `slow address: it names what breaks for ${next.lag / 1000} s more`;
}
for (const id of ["incident", "rollout", "mend"]) {
  byId(id).addEventListener("click", () => {
    if (byId(id).getAttribute("aria-disabled") !== "true") strike("everything/" + id);
  });
}
byId("slow").addEventListener("change", (e) => strike("address/" + (e.target.checked ? "slow" : "prompt")));

function show(next) {
  state = next;
  controls(next);
  ahead = next.now - Date.now();
  byId("timing").textContent = next.timing;
  byId("time-text").textContent = next.fleets.map((f) => `${f.name}: ${f.summary}.`).join(" ");
  map.show(next);
  log(next.log);
}

// Smooth enough at a dozen frames a second; once a second where motion is not
// wanted.
let drawn = -Infinity;
function frame(at) {
  if (state && at - drawn >= (calm.matches ? 1000 : 80)) {
    drawn = at;
    timeline.draw(state, Date.now() + ahead);
  }
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);
addEventListener("resize", () => {
  drawn = -Infinity;
  if (state) map.wires(state);
});

const states = new EventSource("states");
states.addEventListener("state", (e) => show(JSON.parse(e.data)));
states.addEventListener("open", () => {
  byId("stream").textContent = "● live";
  byId("stream").className = "";
});
states.addEventListener("error", () => {
  byId("stream").textContent = "The program does not answer; trying again …";
  byId("stream").className = "lost";
});
