// Draws a dashboard with Grafana's own components (@grafana/ui), which are what Grafana draws panels with. Around them,
// the grid and the texts of panels without data are made here.
import { BarGauge, BigValue, GlobalStyles, PanelChrome, TimeSeries, VizRepeater } from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";
import { createRoot } from "react-dom/client";
import { grafana, initialise, prepared, THEME } from "./frames.cjs";

const COLUMNS = 24, ROW = 30, GAP = 8;
const LINE_DEFAULTS = {
  drawStyle: "line", lineInterpolation: "linear", pointSize: 5, axisPlacement: "auto", spanNulls: false,
  hideFrom: { legend: false, tooltip: false, viz: false }, scaleDistribution: { type: "linear" },
};

function TimeSeriesPanel({ asked, data, width, height, range }) {
  const frames = data.map((frame) => ({ ...frame, fields: frame.fields.map(withLineDefaults) }));
  return (
    <TimeSeries frames={frames} width={width} height={height} timeRange={range} timeZone="utc"
      legend={asked.panel.options.legend} options={{}} structureRev={1} />
  );
}

function withLineDefaults(field) {
  const config = { ...field.config, custom: { ...LINE_DEFAULTS, ...field.config.custom } };
  config.color ??= { mode: "palette-classic" };
  const changed = { ...field, config };
  changed.display = grafana.getDisplayProcessor({ field: changed, theme: THEME, timeZone: "utc" });
  return changed;
}

function TablePanel({ asked, data, width, height }) {
  return <TableNG data={data[0]} width={width} height={height} sortBy={asked.panel.options.sortBy} structureRev={1} />;
}

function Values({ asked, data, options, width, height, render, orientation, sparkline }) {
  const { reduceOptions } = asked.panel.options;
  const getValues = () => grafana.getFieldDisplayValues({ ...options, data, reduceOptions, sparkline });
  return (
    <VizRepeater getValues={getValues} renderValue={render} width={width} height={height} source={data}
      renderCounter={1} orientation={orientation} autoGrid={sparkline} />
  );
}

function StatPanel(props) {
  const { asked } = props;
  const render = ({ value, width, height, count }) => (
    <BigValue value={{ ...value.display, title: count > 1 ? value.display.title : undefined }} width={width} height={height}
      sparkline={asked.panel.options.graphMode === "none" ? undefined : value.sparkline} theme={THEME} colorMode={asked.panel.options.colorMode}
      graphMode={asked.panel.options.graphMode} justifyMode="auto" />
  );
  return <Values {...props} render={render} orientation="auto" sparkline />;
}

function BarsPanel(props) {
  const render = ({ value, width, height, orientation }) => (
    <BarGauge value={value.display} display={value.view?.getFieldDisplayProcessor(value.colIndex)} field={value.field}
      width={width} height={height} orientation={orientation} theme={THEME} displayMode={props.asked.panel.options.displayMode}
      itemSpacing={8} lcdCellWidth={8} showUnfilled />
  );
  return <Values {...props} render={render} orientation="horizontal" />;
}

const PANELS = { timeseries: TimeSeriesPanel, table: TablePanel, stat: StatPanel, bargauge: BarsPanel };

function Message({ children, height }) {
  return <div style={{ height, display: "grid", placeItems: "center", textAlign: "center", padding: 8 }}>{children}</div>;
}

function Panel({ drawn, width, height, range }) {
  const { panel } = drawn.asked;
  const Content = PANELS[panel.type];
  return (
    <PanelChrome title={panel.title} description={panel.description} width={width} height={height} padding="md">
      {(innerWidth, innerHeight) => {
        if (!drawn.data.length) return <Message height={innerHeight}>{panel.fieldConfig.defaults.noValue}</Message>;
        if (!Content) return <Message height={innerHeight}>(a heat map, which @grafana/ui does not have)</Message>;
        return <Content {...drawn} width={innerWidth} height={innerHeight} range={range} />;
      }}
    </PanelChrome>
  );
}

function Dashboard({ panels, rows, width, range }) {
  const unit = (width - GAP) / COLUMNS;
  const place = ({ x, y, w, h }) => ({
    position: "absolute", left: GAP + x * unit, top: GAP + y * (ROW + GAP), width: w * unit - GAP, height: h * (ROW + GAP) - GAP,
  });
  const bottom = Math.max(...panels.map(({ asked }) => asked.panel.gridPos.y + asked.panel.gridPos.h));
  return (
    <div style={{ position: "relative", width, height: bottom * (ROW + GAP) + 2 * GAP, background: THEME.colors.background.canvas }}>
      {rows.map((row) => <h5 key={row.id} style={{ ...place(row.gridPos), margin: 0, lineHeight: `${ROW}px` }}>{row.title}</h5>)}
      {panels.map((drawn) => {
        const style = place(drawn.asked.panel.gridPos);
        return <div key={drawn.asked.panel.id} style={style}><Panel drawn={drawn} width={style.width} height={style.height} range={range} /></div>;
      })}
    </div>
  );
}

/** Called by the program that takes the picture. */
window.draw = async ({ asked, rows, width, from, to }) => {
  initialise();
  const panels = await Promise.all(asked.map(async (one) => ({ asked: one, ...(await prepared(one)) })));
  const range = { from: grafana.dateTime(from), to: grafana.dateTime(to), raw: { from: "now-5m", to: "now" } };
  const Styled = () => <><GlobalStyles /><Dashboard panels={panels} rows={rows} width={width} range={range} /></>;
  const Themed = () => <grafana.ThemeContext.Provider value={THEME}><Styled /></grafana.ThemeContext.Provider>;
  createRoot(document.getElementById("dashboard")).render(<Themed />);
};
