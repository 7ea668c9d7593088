// Tables whose rows keep their identity from one reading to the next: focus and selection stay where they are.

import { element } from "./dom.js";
import { bytes } from "./format.js";

export class Table {
  // columns: [{title, value(row), show(row), text: bool, mechanism, help}]; key(row) identifies a row.
  constructor(table, columns, key, { sort = null, onSelect = null } = {}) {
    this._columns = columns;
    this._key = key;
    this._onSelect = onSelect;
    this._rows = new Map();
    this._sort = sort === null ? null : { column: sort, descending: true };
    this._head = element("tr");
    this._body = element("tbody");
    table.append(element("thead", {}, this._head), this._body);
    this._headers = columns.map((column, index) => this._addHeader(column, index));
    this._data = [];
    this.filter = "";
    this.selected = null;
  }

  _addHeader(column, index) {
    const button = element("button", { type: "button", title: column.help }, column.title);
    const header = element("th", { scope: "col", class: column.text ? "text" : null }, button);
    button.addEventListener("click", () => {
      const descending = this._sort?.column === index ? !this._sort.descending : !column.text;
      this._sort = { column: index, descending };
      this._arrange(true);
    });
    this._head.append(header);
    return header;
  }

  show(data) {
    this._data = data;
    const present = new Set(data.map(this._key));
    for (const [key, row] of this._rows) {
      if (!present.has(key)) {
        row.node.remove();
        this._rows.delete(key);
      }
    }
    this._largest = Math.max(1, ...data.flatMap((row) => this._columns.filter((column) => column.mechanism).map((column) => column.value(row) ?? 0)));
    for (const item of data) this._update(item);
    this._arrange(false);
  }

  _update(item) {
    const key = this._key(item);
    let row = this._rows.get(key);
    if (!row) {
      row = { cells: this._columns.map((column) => element("td", { class: column.text ? "text" : null })) };
      row.node = element("tr", {}, ...row.cells);
      if (this._onSelect) this._makeSelectable(row, key);
      this._rows.set(key, row);
    }
    row.item = item;
    this._columns.forEach((column, index) => this._fill(row, index, column, item));
  }

  _makeSelectable(row, key) {
    row.button = element("button", { type: "button" });
    row.cells[0].append(row.button);
    row.node.classList.add("selectable");
    row.node.addEventListener("click", () => this._onSelect(key));
  }

  _fill(row, index, column, item) {
    const cell = index === 0 && row.button ? row.button : row.cells[index];
    const text = column.show(item);
    if (column.tag) {
      cell.replaceChildren(text ? element("span", { class: "tag", title: column.explain(item) }, text) : "");
    } else if (!column.mechanism) {
      if (cell.textContent !== text) cell.textContent = text;
      if (column.text) cell.title = text;
    } else {
      this._fillBar(cell, column, item, text);
    }
  }

  _fillBar(cell, column, item, text) {
    if (!cell.firstChild) {
      const bar = element("span", { class: `bar ${column.mechanism}` });
      cell.append("", element("span", { class: "track" }, bar));
    }
    cell.firstChild.data = text;
    const width = (60 * (column.value(item) ?? 0)) / this._largest;
    cell.lastChild.firstChild.style.width = `${width > 0 ? Math.max(width, 1) : 0}px`;
  }

  // Rows do not move under the pointer or the keyboard's focus, unless the user sorts.
  _arrange(asked) {
    this._headers.forEach((header, index) => {
      const sorted = this._sort?.column === index;
      if (sorted) header.setAttribute("aria-sort", this._sort.descending ? "descending" : "ascending");
      else header.removeAttribute("aria-sort");
    });
    const wanted = this._sorted();
    for (const row of this._rows.values()) row.node.hidden = !this._matches(row.item);
    for (const [key, row] of this._rows) {
      row.node.classList.toggle("selected", key === this.selected);
      row.button?.setAttribute("aria-pressed", String(key === this.selected));
    }
    if (!asked && this._isUsed()) {
      for (const row of wanted) if (!row.node.isConnected) this._body.append(row.node);
      return;
    }
    wanted.forEach((row, index) => {
      if (this._body.children[index] !== row.node) this._body.insertBefore(row.node, this._body.children[index] ?? null);
    });
  }

  _isUsed() {
    return this._body.matches(":hover") || this._body.contains(document.activeElement);
  }

  _sorted() {
    const rows = this._data.map((item) => this._rows.get(this._key(item)));
    if (!this._sort) return rows;
    const { column, descending } = this._sort;
    const value = (row) => this._columns[column].value(row.item);
    return rows.sort((one, other) => (descending ? -1 : 1) * compare(value(one), value(other)));
  }

  _matches(item) {
    const wanted = this.filter.toLowerCase();
    return !wanted || this._columns.some((column) => column.text && column.show(item).toLowerCase().includes(wanted));
  }

  refresh() {
    this._arrange(true);
  }

  get visible() {
    return [...this._rows.values()].filter((row) => !row.node.hidden).length;
  }
}

function compare(one, other) {
  if (one === other) return 0;
  if (one === null || one === undefined) return -1;
  if (other === null || other === undefined) return 1;
  return one < other ? -1 : 1;
}

export function mechanismColumn(title, mechanism, value, help) {
  return { title, mechanism, value, help, show: (row) => bytes(value(row)) };
}
