// What Grafana would show: its own code applies the transformations and the field configuration of panels to answers of
// Prometheus, and formats the values. Reads [{panel, answers}] from standard input, writes [{table|lines|values}].
"use strict";

// Parts of a browser that the library reads when it is used.
globalThis.navigator = { language: "en-US", languages: ["en-US"], userAgent: "node", platform: "node" };
const grafana = require("@grafana/data");
const { firstValueFrom } = require("rxjs");

globalThis.window = globalThis; // only now: a window at the start would have to have a document

const THEME = grafana.createTheme();

/** The options of fields that panels of the dashboards have, with the functions that check them. */
const OPTIONS = {
  unit: grafana.unitOverrideProcessor,
  min: grafana.numberOverrideProcessor,
  max: grafana.numberOverrideProcessor,
  noValue: grafana.stringOverrideProcessor,
  displayName: grafana.displayNameOverrideProcessor,
  color: grafana.identityOverrideProcessor,
  mappings: grafana.valueMappingsOverrideProcessor,
  thresholds: grafana.thresholdsOverrideProcessor,
  links: grafana.dataLinksOverrideProcessor,
};

function initialise() {
  const byId = new Map(Object.values(grafana.standardTransformers).map((one) => [one.id, one]));
  grafana.standardTransformersRegistry.setInit(() =>
    [...byId.values()].map((one) => ({ id: one.id, name: one.id, transformation: async () => one, editor: () => null }))
  );
  const option = (id, path, process, isCustom) => ({
    id, path, process, isCustom, name: id, shouldApply: () => true, editor: () => null, override: () => null,
  });
  const standard = Object.entries(OPTIONS).map(([id, process]) => option(id, id, process, false));
  const custom = option("custom.cellOptions", "cellOptions", grafana.identityOverrideProcessor, true);
  grafana.standardFieldConfigEditorRegistry.setInit(() => [...standard, custom]);
}

/** A frame as the data source makes it of one query: one for a table, one per series otherwise. */
function frames(target, series, several) {
  return target.format === "table" ? [tableFrame(target, series, several)] : series.map((one) => lineFrame(target, one));
}

function tableFrame(target, series, several) {
  const labels = [...new Set(series.flatMap((one) => Object.keys(one.labels)))].sort();
  const fields = [
    { name: "Time", type: "time", values: series.map((one) => one.times.at(-1)), config: {} },
    ...labels.map((name) => ({ name, type: "string", values: series.map((one) => one.labels[name] ?? ""), config: {} })),
    { name: several ? `Value #${target.refId}` : "Value", type: "number", values: series.map((one) => one.values.at(-1)), config: {} },
  ];
  return grafana.createDataFrame({ refId: target.refId, fields });
}

function lineFrame(target, series) {
  const name = target.legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => series.labels[label] ?? "");
  const value = { name: "Value", type: "number", labels: series.labels, config: { displayNameFromDS: name } };
  const time = { name: "Time", type: "time", values: series.times, config: {} };
  return grafana.createDataFrame({ refId: target.refId, fields: [time, { ...value, values: series.values }] });
}

async function shown({ panel, answers }) {
  const targets = panel.targets.filter((target) => answers[target.refId].length);
  const raw = targets.flatMap((target) => frames(target, answers[target.refId], panel.targets.length > 1));
  const changed = await firstValueFrom(grafana.transformDataFrame(panel.transformations ?? [], raw));
  const replaceVariables = (text) => text;
  const options = { fieldConfig: panel.fieldConfig, replaceVariables, theme: THEME, timeZone: "utc" };
  const data = grafana.applyFieldOverrides({ ...options, data: changed });
  if (panel.type === "table") return { table: data.map((frame) => table(frame, data)) };
  if (panel.type === "timeseries") return { lines: lines(panel, data) };
  if (panel.type === "heatmap") return { lines: data.map((frame) => name(frame.fields[1], frame, data)) };
  const values = grafana.getFieldDisplayValues({ ...options, data, reduceOptions: panel.options.reduceOptions });
  return { values: values.map((value) => ({ title: value.display.title ?? "", text: text(value.display), color: value.display.color })) };
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
