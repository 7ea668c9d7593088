// The picture: user memory, kernel and hardware, with an arrow for each hop whose thickness and speed show its rate.

import { svg } from "./dom.js";
import { MECHANISM_NAMES, MECHANISMS, count, magnitude, percent, rate } from "./format.js";

const BOXES = {
  user: { x: 440, y: 44, width: 320, height: 76, layer: 0 },
  other: { x: 40, y: 190, width: 150, height: 70, layer: 1, title: "other files" },
  page_cache: { x: 270, y: 190, width: 190, height: 84, layer: 1, title: "page cache" },
  pipe: { x: 520, y: 292, width: 160, height: 46, layer: 1, title: "pipes" },
  socket: { x: 740, y: 190, width: 200, height: 84, layer: 1, title: "socket buffers" },
  disk: { x: 60, y: 388, width: 130, height: 54, layer: 2, title: "disk" },
  card: { x: 1010, y: 380, width: 170, height: 66, layer: 2, title: "network" },
};
const BANDS = [
  ["user", "user memory", 16, 128],
  ["kernel", "kernel", 152, 204],
  ["hardware", "hardware", 364, 96],
];
const BOX_OF = { disk: "disk", page_cache: "page_cache", user: "user", tcp: "socket", udp: "socket", unix: "socket", socket: "socket", pipe: "pipe" };
// "from to": how the arrow runs, and where its rate stands.
const ROUTES = {
  "page_cache user": { d: "M320 190 C320 118 360 64 432 64", label: [318, 130, "end"] },
  "user page_cache": { d: "M440 98 C405 98 400 130 400 182", label: [414, 146, "start"] },
  "user socket": { d: "M760 98 C795 98 800 130 800 182", label: [786, 146, "end"] },
  "socket user": { d: "M880 190 C880 118 840 64 768 64", label: [884, 130, "start"] },
  "page_cache socket": { d: "M460 222 L732 222", label: [596, 202, "middle"] },
  "socket page_cache": { d: "M740 256 L468 256", label: [596, 280, "middle"] },
  "pipe user": { d: "M544 292 L544 128", label: [536, 160, "end"] },
  "user pipe": { d: "M656 120 L656 284", label: [664, 160, "start"] },
  "page_cache pipe": { d: "M440 274 C440 306 470 306 512 306", label: [436, 312, "end"] },
  "pipe page_cache": { d: "M520 330 C430 332 380 322 380 282", label: [384, 346, "end"] },
  "pipe socket": { d: "M680 306 C730 306 760 306 760 282", label: [764, 312, "start"] },
  "socket pipe": { d: "M820 274 C820 322 770 332 688 330", label: [816, 346, "start"] },
  "other user": { d: "M80 190 C80 70 280 54 432 54", label: [112, 92, "middle"] },
  "user other": { d: "M440 112 C260 112 140 112 140 182", label: [150, 172, "start"] },
  "other page_cache": { d: "M190 212 L262 212", label: [228, 206, "middle"] },
  "page_cache other": { d: "M270 240 L198 240", label: [232, 262, "middle"] },
  "disk page_cache": { d: "M190 420 C280 420 320 360 320 282", label: [318, 402, "start"] },
  "disk user": { d: "M110 388 C110 300 232 300 232 220 C232 130 330 80 432 80", label: [124, 340, "end"] },
  "user disk": { d: "M440 88 C330 100 250 150 250 230 C250 310 160 300 160 380", label: [190, 344, "start"] },
  "socket card": { d: "M880 274 C880 340 940 394 1002 394", label: [928, 344, "start"] },
  "card socket": { d: "M1010 428 C890 428 800 370 800 282", label: [838, 412, "end"] },
};
const DASH = 24;
const SPEED_PER_SECOND = { least: 16, most: 320 };

export class Picture {
  constructor(parent) {
    this._edges = new Map();
    this._svg = svg("svg", { viewBox: "0 0 1200 470", role: "img" });
    this._svg.append(svg("defs", {}, ...MECHANISMS.map(arrowHead)));
    for (const [name, title, y, height] of BANDS) {
      this._svg.append(svg("rect", { class: `band ${name}`, x: 0, y, width: 1200, height }));
      this._svg.append(svg("text", { class: "small", x: 12, y: y + 20 }, title));
    }
    this._flows = this._svg.appendChild(svg("g"));
    this._boxes = {};
    for (const [name, box] of Object.entries(BOXES)) this._boxes[name] = this._addBox(box);
    this._labels = this._svg.appendChild(svg("g"));
    this._still = matchMedia("(prefers-reduced-motion: reduce)");
    this._still.addEventListener("change", () => this._edges.forEach((edge) => this._animate(edge)));
    parent.append(this._svg);
  }

  _addBox(box) {
    const title = svg("text", { x: box.x + box.width / 2, y: box.y + box.height / 2 - 2, "text-anchor": "middle" }, box.title ?? "");
    const text = svg("text", { class: "small", x: box.x + box.width / 2, y: box.y + box.height / 2 + 18, "text-anchor": "middle" });
    const group = svg("g", {}, svg("rect", { class: "box", x: box.x, y: box.y, width: box.width, height: box.height, rx: 10 }), title, text);
    this._svg.append(group);
    return { group, title, text };
  }

  // hops: [{source, destination, mechanism, bytes_per_second}]; devices: those of the host, null for one process.
  show({ title, subtitle, hops, devices, description }) {
    setText(this._boxes.user.title, shorten(title, 34));
    setText(this._boxes.user.text, subtitle);
    const rates = sumByEdge(hops);
    this._describeBoxes(hops, devices, rates);
    if (devices) addCardEdges(rates, devices);
    for (const key of this._edges.keys()) if (!rates.has(key)) this._remove(key);
    const drawn = new Map();
    for (const [key, bytesPerSecond] of [...rates].sort()) {
      const pair = key.split(" ", 2).join(" ");
      this._draw(key, bytesPerSecond, drawn.get(pair) ?? 0);
      drawn.set(pair, (drawn.get(pair) ?? 0) + 1);
    }
    this._svg.setAttribute("aria-label", description);
  }

  _describeBoxes(hops, devices, rates) {
    const sockets = share(hops, ["tcp", "udp", "unix", "socket"]);
    setText(this._boxes.socket.text, sockets);
    setText(this._boxes.page_cache.text, "files on disks and tmpfs");
    const shown = new Set([...rates.keys()].flatMap((key) => key.split(" ").slice(0, 2)));
    for (const name of ["pipe", "other"]) this._boxes[name].group.style.display = shown.has(name) ? "" : "none";
    setText(this._boxes.pipe.text, "");
    this._boxes.pipe.title.setAttribute("y", BOXES.pipe.y + 28);
    this._boxes.disk.title.setAttribute("y", BOXES.disk.y + 32);
    setText(this._boxes.other.text, "/proc, devices, …");
    const card = devices && busiest(devices);
    setText(this._boxes.card.title, card ? shorten(card.device, 18) : "network");
    setText(this._boxes.card.text, card ? cardText(card) : devices ? "no network card" : "shown for the host");
  }

  _draw(key, bytesPerSecond, ordinal) {
    const [from, to, mechanism] = key.split(" ");
    let edge = this._edges.get(key);
    if (!edge) {
      edge = {
        rail: svg("path", { class: `rail ${mechanism}` }),
        flow: svg("path", { class: `flow ${mechanism}`, "marker-end": `url(#head-${mechanism})`, "data-edge": key }),
        label: svg("text", { class: `rate ${mechanism}` }),
      };
      this._flows.append(edge.rail, edge.flow);
      this._labels.append(edge.label);
      this._edges.set(key, edge);
    }
    const route = routeOf(from, to, ordinal);
    const width = 2 + 22 * magnitude(bytesPerSecond);
    for (const line of [edge.rail, edge.flow]) {
      line.setAttribute("d", route.d);
      line.setAttribute("transform", `translate(${route.shift})`);
      line.setAttribute("stroke-width", width.toFixed(1));
    }
    edge.label.setAttribute("x", route.x);
    edge.label.setAttribute("y", route.y);
    edge.label.setAttribute("text-anchor", route.anchor);
    setText(edge.label, rate(bytesPerSecond));
    edge.speed = SPEED_PER_SECOND.least + (SPEED_PER_SECOND.most - SPEED_PER_SECOND.least) * magnitude(bytesPerSecond);
    edge.flow.dataset.bytesPerSecond = bytesPerSecond;
    edge.flow.dataset.speed = edge.speed.toFixed(1);
    this._animate(edge);
  }

  _animate(edge) {
    if (this._still.matches) {
      edge.animation?.cancel();
      edge.animation = null;
      return;
    }
    edge.animation ??= edge.flow.animate([{ strokeDashoffset: 0 }, { strokeDashoffset: -DASH }], { duration: 1000, iterations: Infinity });
    edge.animation.updatePlaybackRate(edge.speed / DASH);
  }

  _remove(key) {
    const edge = this._edges.get(key);
    edge.animation?.cancel();
    for (const part of [edge.rail, edge.flow, edge.label]) part.remove();
    this._edges.delete(key);
  }
}

function arrowHead(mechanism) {
  const shape = svg("path", { d: "M0 0 L10 5 L0 10 z" });
  return svg("marker", { id: `head-${mechanism}`, class: mechanism, viewBox: "0 0 10 10", refX: 4, refY: 5, markerWidth: 20, markerHeight: 20, markerUnits: "userSpaceOnUse", orient: "auto" }, shape);
}

function sumByEdge(hops) {
  const rates = new Map();
  for (const hop of hops) {
    if (!(hop.bytes_per_second > 0)) continue;
    const key = `${BOX_OF[hop.source] ?? "other"} ${BOX_OF[hop.destination] ?? "other"} ${hop.mechanism}`;
    rates.set(key, (rates.get(key) ?? 0) + hop.bytes_per_second);
  }
  return rates;
}

// The network card takes what its driver sends and gives what it receives: loopback never reaches it.
function addCardEdges(rates, devices) {
  const cards = devices.filter((device) => device.device !== "lo");
  const sent = cards.reduce((sum, device) => sum + device.transmit_bytes_per_second, 0);
  const received = cards.reduce((sum, device) => sum + device.receive_bytes_per_second, 0);
  if (sent > 0) rates.set("socket card dma", sent);
  if (received > 0) rates.set("card socket dma", received);
}

function busiest(devices) {
  const traffic = (device) => device.transmit_bytes_per_second + device.receive_bytes_per_second;
  const cards = devices.filter((device) => device.device !== "lo");
  return cards.sort((one, other) => traffic(other) - traffic(one))[0];
}

function cardText(card) {
  if (!card.speed_bytes_per_second) return "speed unknown";
  const used = Math.max(card.transmit_bytes_per_second, card.receive_bytes_per_second) / card.speed_bytes_per_second;
  return `${percent(used)} of ${count((card.speed_bytes_per_second * 8) / 1e9)} Gbit/s`;
}

function share(hops, endpoints) {
  const sums = endpoints.map((endpoint) => [endpoint, 0]);
  for (const hop of hops) {
    for (const sum of sums) if (hop.source === sum[0] || hop.destination === sum[0]) sum[1] += hop.bytes_per_second;
  }
  const total = sums.reduce((all, sum) => all + sum[1], 0);
  if (!total) return "tcp, udp, unix";
  return sums.filter((sum) => sum[1] / total >= 0.0005).map((sum) => `${sum[0]} ${percent(sum[1] / total)}`).slice(0, 3).join(", ");
}

// Arrows of one pair of boxes that differ in their mechanism stand beside each other.
function routeOf(from, to, ordinal) {
  const route = from === to ? loop(BOXES[from]) : ROUTES[`${from} ${to}`] ?? below(BOXES[from], BOXES[to]);
  const [x, y, anchor] = route.label;
  return { d: route.d, shift: 18 * ordinal, x: x + 18 * ordinal, y: y + 18 * ordinal, anchor };
}

function loop(box) {
  const [x, y] = [box.x + 30, box.y + box.height];
  return { d: `M${x} ${y} c0 34 44 34 44 8`, label: [x + 22, y + 42, "middle"] };
}

function below(from, to) {
  const middle = (box) => box.x + box.width / 2;
  const bottom = (box) => box.y + box.height;
  const depth = Math.max(bottom(from), bottom(to)) + 60;
  const d = `M${middle(from)} ${bottom(from)} C${middle(from)} ${depth} ${middle(to)} ${depth} ${middle(to)} ${bottom(to) + 8}`;
  return { d, label: [(middle(from) + middle(to)) / 2, depth - 12, "middle"] };
}

function shorten(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function describe(hops) {
  const rates = [...sumByEdge(hops)].sort((one, other) => other[1] - one[1]).slice(0, 6);
  const names = { page_cache: "page cache", socket: "sockets", other: "other files", user: "user memory" };
  const parts = rates.map(([key, value]) => {
    const [from, to, mechanism] = key.split(" ");
    return `${rate(value)} from ${names[from] ?? from} to ${names[to] ?? to}, ${MECHANISM_NAMES[mechanism]}`;
  });
  return parts.length ? `Bytes per second: ${parts.join("; ")}.` : "Nothing moves.";
}
