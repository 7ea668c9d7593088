// The live page: one reading each second becomes the headline, the picture and the tables.

import { detail } from "./detail.js";
import { byId } from "./dom.js";
import { bytes, count, fixed, percent } from "./format.js";
import { headline, health, missingProbes, notes } from "./headline.js";
import { History } from "./history.js";
import { Kafka } from "./kafka.js";
import { Picture, describe } from "./picture.js";
import { subscribe } from "./stream.js";
import { Table, mechanismColumn } from "./tables.js";

const HOST = "";
const keyOf = (process) => `${process.pid} ${process.comm}`;
const nameOf = (process) => (process.name && process.name !== process.comm ? `${process.comm} · ${process.name}` : process.comm);

const picture = new Picture(byId("picture"));
const history = new History(byId("history"));
const kafka = new Kafka();
const processes = new Table(
  byId("processes"),
  [
    { title: "process", text: true, value: nameOf, show: nameOf },
    { title: "pid", text: true, value: (row) => Number(row.pid) || 0, show: (row) => String(row.pid) },
    mechanismColumn("CPU copies/s", "cpu", (row) => row.mechanisms.cpu, "Bytes that the CPU copied, each hop counted once"),
    mechanismColumn("zero copy/s", "zero_copy", (row) => row.mechanisms.zero_copy, "Bytes passed by reference"),
    mechanismColumn("DMA/s", "dma", (row) => row.mechanisms.dma, "Bytes that a disk moved"),
    { title: "switches/s", help: "Mode switches: two for each system call that moves data", value: (row) => row.mode_switches_per_second, show: (row) => count(row.mode_switches_per_second) },
    { title: "bytes/call", value: (row) => row.bytes_per_call, show: (row) => (row.bytes_per_call === null ? "–" : bytes(row.bytes_per_call)) },
    { title: "copies/byte sent", help: "Bytes copied by the CPU for each byte that reached a socket", value: (row) => row.copies_per_byte_sent, show: (row) => fixed(row.copies_per_byte_sent, 2) },
    { title: "copy CPU", help: "Part of one CPU that is inside the kernel's copy routines, by samples", value: (row) => row.copy_cpu_ratio, show: (row) => (row.copy_cpu_ratio === null ? "–" : percent(row.copy_cpu_ratio)) },
  ],
  keyOf,
  { sort: 2, onSelect: (key) => select(processes.selected === key ? null : key) },
);
let reading = null;

function select(key) {
  processes.selected = key;
  if (!reading) return;
  show();
  if (key !== null) byId("picture-title").scrollIntoView({ block: "nearest" });
}

function show() {
  const time = reading.time_seconds;
  const chosen = reading.processes.find((process) => keyOf(process) === processes.selected);
  byId("headline").replaceChildren(...headline(reading.totals));
  byId("notes").textContent = notes(reading);
  byId("back").hidden = processes.selected === null;
  byId("detail").replaceChildren(...(chosen ? detail(chosen) : []));
  byId("picture-title").textContent = chosen ? `${nameOf(chosen)}, process ${chosen.pid}` : processes.selected ? "The process does not move bytes, or has ended" : "All processes";
  if (chosen) showProcess(chosen);
  else if (processes.selected) picture.show({ title: "–", subtitle: "", hops: [], devices: null, description: "Nothing moves." });
  else showHost();
  history.show(processes.selected ?? HOST, time);
  processes.show(reading.processes);
  byId("processes-note").textContent = `${processes.visible} of ${count(reading.process_count)} processes are shown: those that copy most.`;
  kafka.show(reading.kafka);
}

function showHost() {
  const subtitle = `${count(reading.totals.mode_switches_per_second)} mode switches/s`;
  picture.show({ title: "processes", subtitle, hops: reading.hops, devices: reading.devices, description: describe(reading.hops) });
}

function showProcess(process) {
  const subtitle = `${count(process.mode_switches_per_second)} mode switches/s`;
  picture.show({ title: nameOf(process), subtitle, hops: process.hops, devices: null, description: describe(process.hops) });
}

function receive(next) {
  reading = next;
  document.title = `${next.host.name} · copy-exporter`;
  byId("host").textContent = next.host.name;
  byId("health").textContent = health(next);
  byId("health").title = missingProbes(next);
  history.add(HOST, next.time_seconds, next.totals.mechanisms);
  for (const process of next.processes) history.add(keyOf(process), next.time_seconds, process.mechanisms);
  history.prune(next.time_seconds);
  show();
}

byId("back").addEventListener("click", () => select(null));
byId("filter").addEventListener("input", (event) => {
  processes.filter = event.target.value;
  processes.refresh();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && processes.selected !== null) select(null);
});
subscribe(receive, (problem) => {
  byId("connection").textContent = problem;
  byId("connection").hidden = !problem;
});
