// The last five minutes of the host and of each process, kept in this page alone.

import { element, svg } from "./dom.js";
import { MECHANISMS, rate } from "./format.js";

const SECONDS = 300;
const WIDTH = 1200;
const HEIGHT = 90;

export class History {
  constructor(parent) {
    this._series = new Map();
    this._caption = element("p", { class: "legend" });
    this._lines = Object.fromEntries(MECHANISMS.map((mechanism) => [mechanism, svg("path", { class: mechanism })]));
    const base = svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 });
    this._svg = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", height: HEIGHT }, base, ...Object.values(this._lines));
    this._svg.style.height = `${HEIGHT}px`;
    parent.append(this._caption, this._svg);
  }

  add(key, timeSeconds, mechanisms) {
    const points = this._series.get(key) ?? [];
    points.push([timeSeconds, mechanisms]);
    while (points[0][0] < timeSeconds - SECONDS) points.shift();
    this._series.set(key, points);
  }

  prune(timeSeconds) {
    for (const [key, points] of this._series) {
      if (points.at(-1)[0] < timeSeconds - SECONDS) this._series.delete(key);
    }
  }

  show(key, timeSeconds) {
    const points = this._series.get(key) ?? [];
    const largest = Math.max(1, ...points.flatMap((point) => MECHANISMS.map((mechanism) => point[1][mechanism])));
    const x = (time) => (WIDTH * (time - timeSeconds + SECONDS)) / SECONDS;
    const y = (value) => HEIGHT - 2 - ((HEIGHT - 6) * value) / largest;
    for (const mechanism of MECHANISMS) {
      const line = points.map(([time, rates], index) => `${index ? "L" : "M"}${x(time).toFixed(1)} ${y(rates[mechanism]).toFixed(1)}`);
      this._lines[mechanism].setAttribute("d", line.join(""));
    }
    const text = `The last five minutes. The full height of the chart is ${rate(largest)}, the largest rate in it.`;
    this._caption.textContent = text;
    this._svg.setAttribute("aria-label", text);
  }
}
