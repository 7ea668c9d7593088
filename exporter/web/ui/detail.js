// What one process does: its hops by system call, its errors, and what it runs in.

import { element } from "./dom.js";
import { MECHANISM_NAMES, count, rate } from "./format.js";

export function detail(process) {
  const list = element("dl");
  const facts = { unit: process.unit, container: process.container_id, "control group": process.cgroup, command: process.comm };
  for (const [name, value] of Object.entries(facts)) {
    if (value) list.append(element("dt", {}, name), element("dd", {}, value));
  }
  const hops = process.hops.map((hop) => [
    hop.syscall || "(block layer)", `${hop.source} → ${hop.destination}${hop.port ? ` (port ${hop.port})` : ""}`,
    MECHANISM_NAMES[hop.mechanism], count(hop.calls_per_second), rate(hop.bytes_per_second),
  ]);
  const parts = [list, table(["call", "hop", "mechanism", "calls/s", "bytes"], hops, 3)];
  if (process.errors.length) {
    const errors = process.errors.map((error) => [error.syscall, error.errno, count(error.errors_per_second)]);
    parts.push(table(["call", "error", "errors/s"], errors, 2));
  }
  return parts;
}

function table(titles, rows, textColumns) {
  const kind = (index) => (index < textColumns ? { class: "text" } : {});
  const head = titles.map((title, index) => element("th", { scope: "col", ...kind(index) }, title));
  const body = rows.map((row) => element("tr", {}, ...row.map((cell, index) => element("td", kind(index), String(cell)))));
  const whole = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": titles.join(", ") }, whole);
}
