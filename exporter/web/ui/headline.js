// The host in a sentence, in notes beside it, and in one line of health.

import { element } from "./dom.js";
import { count, percent, rate } from "./format.js";

const FIRST = { network: "it saturates first.", cpu: "the CPUs saturate first." };

export function headline(totals) {
  const moved = totals.moved_bytes_per_second;
  if (!(moved > 0)) return ["Nothing moves at the moment."];
  const part = (mechanism, words) => element("b", { class: mechanism }, `${percent(totals.mechanisms[mechanism] / moved)} ${words}`);
  const copying = totals.copy_cpu_ratio === null ? "How much CPU time copying takes is unknown" : `Copying takes ${percent(totals.copy_cpu_ratio)} of the CPUs`;
  return [
    `${rate(moved)} moved: `, part("zero_copy", "by zero copy"), ", ", part("cpu", "copied by the CPU"), ", ", part("dma", "from or to disks"),
    `. ${copying}; `, ...network(totals),
  ];
}

function network(totals) {
  if (totals.network_use_ratio === null) return ["the use of the network is unknown, because no device reports its speed."];
  const use = `the network is used to ${percent(totals.network_use_ratio)}`;
  const first = FIRST[totals.saturates_first];
  return first ? [`${use}: `, element("b", {}, first)] : [`${use}.`];
}

export function notes(reading) {
  const lines = [`${count(reading.totals.mode_switches_per_second)} mode switches per second.`];
  const bare = reading.devices.filter((device) => device.scatter_gather === false).map((device) => device.device);
  if (bare.length) {
    lines.push(`${bare.join(", ")} cannot gather pieces of a packet (scatter-gather is off): the kernel copies what zero copy hands over.`);
  }
  return lines.join(" ");
}

export function health(reading) {
  const { host, health: state } = reading;
  const attached = state.probes.filter((probe) => probe.attached);
  const parts = [`copy-exporter ${host.version}`, `Linux ${host.kernel}`, `since ${new Date(1000 * host.started_seconds).toLocaleString()}`];
  parts.push(`${attached.length} of ${state.probes.length} probes attached`);
  const lost = state.dropped_updates + state.missed_runs;
  parts.push(lost ? `${count(state.dropped_updates)} updates dropped, ${count(state.missed_runs)} runs missed` : "nothing lost");
  if (state.stalled_probes.length) parts.push(`stopped counting: ${state.stalled_probes.join(", ")}`);
  return parts.join(" · ");
}

export function missingProbes(reading) {
  return reading.health.probes
    .filter((probe) => !probe.attached)
    .map((probe) => `${probe.name}: ${probe.reason}${probe.remedy ? ` (${probe.remedy})` : ""}`)
    .join("\n");
}
