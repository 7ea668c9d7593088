// What panels show, as text. Reads [{panel, answers}] from standard input, writes [{table|lines|values}].
"use strict";

const { grafana, initialise, prepared } = require("./frames.cjs");

globalThis.window = globalThis; // only now: a window at the start would have to have a document

async function shown(asked) {
  const { panel } = asked;
  const { options, data } = await prepared(asked);
  if (panel.type === "table") return { table: data.map((frame) => table(frame, data)) };
  if (panel.type === "timeseries") return { lines: lines(panel, data) };
  if (panel.type === "heatmap") return { lines: data.map((frame) => name(frame.fields[1], frame, data)) };
  const values = grafana.getFieldDisplayValues({ ...options, data, reduceOptions: panel.options.reduceOptions });
  return { values: values.map(({ display }) => ({ title: display.title ?? "", text: text(display), color: display.color })) };
}

function table(frame, data) {
  const cell = (field, value) => ({ text: text(field.display(value)), color: field.display(value).color });
  const rows = Array.from({ length: frame.length }, (_, row) => frame.fields.map((field) => cell(field, field.values[row])));
  return { headings: frame.fields.map((field) => name(field, frame, data)), rows };
}

/** The legend, in its order: the name, and the numbers beside it. */
function lines(panel, data) {
  const legend = panel.options.legend;
  const found = data.flatMap((frame) => frame.fields.filter((field) => field.type === "number").map((field) => {
    const calcs = grafana.reduceField({ field, reducers: legend.calcs });
    const numbers = legend.calcs.map((id) => [grafana.fieldReducers.get(id).name, calcs[id]]);
    return { name: name(field, frame, data), numbers: Object.fromEntries(numbers), field };
  }));
  const sign = legend.sortDesc ? -1 : 1;
  const sorted = found.sort((one, other) => sign * ((one.numbers[legend.sortBy] ?? 0) - (other.numbers[legend.sortBy] ?? 0)));
  return sorted.map(({ name, numbers, field }) => ({
    name,
    numbers: Object.fromEntries(Object.entries(numbers).map(([id, value]) => [id, text(field.display(value))])),
  }));
}

function name(field, frame, data) {
  return grafana.getFieldDisplayName(field, frame, data);
}

function text(value) {
  return grafana.formattedValueToString(value);
}

async function main() {
  initialise();
  const panels = JSON.parse(require("fs").readFileSync(0, "utf8"));
  process.stdout.write(JSON.stringify(await Promise.all(panels.map(shown))));
}

main();
