// Readings of /api/v1/live/stream, one each second, through restarts of the exporter.

const SILENT_MILLISECONDS = 5000;
const RETRY_MILLISECONDS = 2000;

export function subscribe(onReading, onConnection) {
  let source = null;
  let last = Date.now();

  function connect() {
    source?.close();
    last = Date.now();
    source = new EventSource("/api/v1/live/stream");
    source.addEventListener("live", (event) => {
      last = Date.now();
      onConnection("");
      onReading(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      onConnection("The connection to the exporter is lost. Trying again …");
      // After an HTTP error the browser does not try again.
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MILLISECONDS);
    });
  }

  setInterval(() => {
    if (Date.now() - last > SILENT_MILLISECONDS) onConnection("The exporter sends no readings. Trying again …");
    if (Date.now() - last > 3 * SILENT_MILLISECONDS) connect();
  }, 1000);
  connect();
}
