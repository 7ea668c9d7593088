// Kafka's listeners and topics, when there are brokers.

import { byId } from "./dom.js";
import { bytes, percent, rate } from "./format.js";
import { Table } from "./tables.js";

const REASONS = {
  tls: "TLS encrypts in user memory, so every byte is copied",
  jvm_fallback: "The JVM's sendfile was refused, so it copies",
  copied: "The broker reads records and writes them to the socket",
  remote: "Records seem to come from a remote tier over TCP",
  scatter_gather: "The network card cannot gather pieces of a packet",
};

const sent = (listener) => listener.sent.cpu + listener.sent.zero_copy;
const written = (topic) => topic.written.cpu;
const read = (topic) => topic.read.cpu + topic.read.zero_copy;

export class Kafka {
  constructor() {
    this._listeners = new Table(byId("listeners"), [
      { title: "listener", text: true, value: (row) => row.listener, show: (row) => `${row.listener} :${row.port}` },
      { title: "protocol", text: true, value: (row) => row.protocol, show: (row) => row.protocol },
      { title: "broker", text: true, value: (row) => row.node_id, show: (row) => row.node_id },
      { title: "sent", value: sent, show: (row) => rate(sent(row)) },
      { title: "received", value: (row) => row.received_bytes_per_second, show: (row) => rate(row.received_bytes_per_second) },
      { title: "zero copy", value: (row) => row.zero_copy_ratio, show: (row) => (row.zero_copy_ratio === null ? "–" : percent(row.zero_copy_ratio)) },
      { title: "why not", value: (row) => row.reason, show: (row) => row.reason, tag: true, explain: (row) => REASONS[row.reason] ?? "" },
    ], (row) => `${row.pid} ${row.listener} ${row.port}`, { sort: 3 });
    this._topics = new Table(byId("topics"), [
      { title: "topic", text: true, value: (row) => row.topic, show: (row) => (row.partition ? `${row.topic} ${row.partition}` : row.topic) },
      { title: "broker", text: true, value: (row) => row.node_id, show: (row) => row.node_id },
      { title: "written", value: written, show: (row) => rate(written(row)) },
      { title: "read", value: read, show: (row) => rate(read(row)) },
      { title: "by zero copy", value: (row) => row.read.zero_copy, show: (row) => bytes(row.read.zero_copy) },
      { title: "from disk", value: (row) => row.read.dma, show: (row) => bytes(row.read.dma) },
    ], (row) => `${row.cluster_id} ${row.node_id} ${row.topic} ${row.partition}`, { sort: 3 });
  }

  show(kafka) {
    byId("listeners-card").hidden = !kafka.listeners.length;
    byId("topics-card").hidden = !kafka.topics.length;
    this._listeners.show(kafka.listeners);
    this._topics.show(kafka.topics);
  }
}
