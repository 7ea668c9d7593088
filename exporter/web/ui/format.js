// Numbers as people read them. null is "unknown".

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export const MECHANISMS = ["cpu", "zero_copy", "dma"];
export const MECHANISM_NAMES = { cpu: "copied by the CPU", zero_copy: "zero copy", dma: "DMA" };

function digits(value) {
  return value >= 100 || value === 0 ? value.toFixed(0) : value.toFixed(1);
}

export function bytes(value) {
  if (value === null || value === undefined) return "unknown";
  let power = 0;
  while (value >= 1023.5 && power < UNITS.length - 1) {
    value /= 1024;
    power += 1;
  }
  return `${power ? digits(value) : value.toFixed(0)} ${UNITS[power]}`;
}

export function rate(value) {
  return value === null || value === undefined ? "unknown" : `${bytes(value)}/s`;
}

export function count(value) {
  if (value === null || value === undefined) return "unknown";
  return value > 0 && value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en-US");
}

export function percent(ratio) {
  if (ratio === null || ratio === undefined) return "unknown";
  const value = 100 * ratio;
  return `${value > 0 && value < 10 ? value.toFixed(1) : value.toFixed(0)} %`;
}

export function fixed(value, places) {
  return value === null || value === undefined ? "–" : value.toFixed(places);
}

// 0 at 1 KiB/s and below, 1 at 100 GiB/s.
export function magnitude(bytesPerSecond) {
  const scaled = Math.log2(Math.max(bytesPerSecond, 1024) / 1024) / Math.log2(100 * 2 ** 20);
  return Math.min(scaled, 1);
}
