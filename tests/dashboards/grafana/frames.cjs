// Data frames as Grafana hands them to a panel: its own code applies the transformations and the field configuration of
// the panel to answers of Prometheus.
"use strict";

// A part of a browser that the library reads when it formats times.
globalThis.navigator ??= { language: "en-US", languages: ["en-US"], userAgent: "node", platform: "node" };
const grafana = require("@grafana/data");
const { firstValueFrom } = require("rxjs");

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
const CUSTOM = [
  "cellOptions", "drawStyle", "fillOpacity", "filterable", "lineWidth", "minWidth", "showPoints", "stacking", "thresholdsStyle",
];

function initialise() {
  const byId = new Map(Object.values(grafana.standardTransformers).map((one) => [one.id, one]));
  grafana.standardTransformersRegistry.setInit(() =>
    [...byId.values()].map((one) => ({ id: one.id, name: one.id, transformation: async () => one, editor: () => null }))
  );
  const option = (id, path, process, isCustom) => ({
    id, path, process, isCustom, name: id, shouldApply: () => true, editor: () => null, override: () => null,
  });
  const standard = Object.entries(OPTIONS).map(([id, process]) => option(id, id, process, false));
  const custom = CUSTOM.map((path) => option(`custom.${path}`, path, grafana.identityOverrideProcessor, true));
  grafana.standardFieldConfigEditorRegistry.setInit(() => [...standard, ...custom]);
}

/** The frames of a panel, and the options that made them. */
async function prepared({ panel, answers }) {
  const several = panel.targets.length > 1;
  const raw = panel.targets.flatMap((target) => frames(target, answers[target.refId], several));
  const changed = await firstValueFrom(grafana.transformDataFrame(panel.transformations ?? [], raw));
  const options = { fieldConfig: panel.fieldConfig, replaceVariables: (text) => text, theme: THEME, timeZone: "utc" };
  const data = grafana.applyFieldOverrides({ ...options, data: changed });
  grafana.cacheFieldDisplayNames(data);
  return { options, data };
}

/** A frame as the data source makes it of one query: one for a table, one per series otherwise. */
function frames(target, series, several) {
  if (!series.length) return [];
  return target.format === "table" ? [tableFrame(target, series, several)] : series.map((one) => lineFrame(target, one));
}

function tableFrame(target, series, several) {
  const labels = [...new Set(series.flatMap((one) => Object.keys(one.labels)))].sort();
  const value = several ? `Value #${target.refId}` : "Value";
  const fields = [
    { name: "Time", type: "time", values: series.map((one) => one.times.at(-1)), config: {} },
    ...labels.map((name) => ({ name, type: "string", values: series.map((one) => one.labels[name] ?? ""), config: {} })),
    { name: value, type: "number", values: series.map((one) => one.values.at(-1)), config: {} },
  ];
  return grafana.createDataFrame({ refId: target.refId, fields });
}

function lineFrame(target, { labels, times, values }) {
  const name = target.legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? "");
  const value = { name: "Value", type: "number", labels, values, config: { displayNameFromDS: name } };
  return grafana.createDataFrame({ refId: target.refId, fields: [{ name: "Time", type: "time", values: times, config: {} }, value] });
}

module.exports = { grafana, initialise, prepared, THEME };
