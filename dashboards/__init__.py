"""The dashboards, written as code; ``make dashboards`` makes Grafana's JSON of them."""
