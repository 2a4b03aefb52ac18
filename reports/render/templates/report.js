"use strict";

// The table of all cases: sorted, filtered, and drawn a page at a time, so that ten thousand cases are no burden.
(() => {
  const { columns, rows, page } = JSON.parse(document.getElementById("cases-data").textContent);
  const head = document.querySelector("#cases thead tr");
  const body = document.querySelector("#cases tbody");
  const filter = document.getElementById("filter");
  const bench = document.getElementById("bench");
  const status = document.getElementById("status");
  const shown = document.getElementById("shown");
  const earlier = document.getElementById("earlier");
  const later = document.getElementById("later");
  const range = document.getElementById("range");
  const at = Object.fromEntries(columns.map((column, index) => [column.name, index]));
  // A cell is null, a text, or [value to sort by, text to show].
  const value = (cell) => (Array.isArray(cell) ? cell[0] : cell);
  const text = (cell) => (cell === null ? "" : String(Array.isArray(cell) ? cell[1] : cell));
  const haystacks = rows.map((row) => row.map((cell, index) => `${columns[index].name}=${text(cell)}`).join(" ").toLowerCase());
  const state = { column: at.throughput ?? 0, descending: true, start: 0, kept: [] };

  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? Infinity : -Infinity; // missing comes last
    return typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
  };

  const arrange = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (row, index) =>
      (!bench.value || row[at.bench] === bench.value) &&
      (!status.value || row[at.status] === status.value) &&
      words.every((word) => haystacks[index].includes(word));
    const sign = state.descending ? -1 : 1;
    state.kept = rows.filter(fits).sort((a, b) => {
      const order = compare(a[state.column], b[state.column]);
      return Number.isFinite(order) ? sign * order : Math.sign(order);
    });
    state.start = 0;
    draw();
  };

  const cell = (row, column, index) => {
    const element = document.createElement("td");
    element.textContent = text(row[index]);
    element.className = column.number ? "number" : ["reason", "settings"].includes(column.name) ? "words" : "";
    element.title = element.textContent;
    return element;
  };

  const draw = () => {
    const end = Math.min(state.start + page, state.kept.length);
    body.replaceChildren(...state.kept.slice(state.start, end).map((row) => {
      const line = document.createElement("tr");
      line.className = row[at.status];
      line.append(...columns.map((column, index) => cell(row, column, index)));
      return line;
    }));
    head.querySelectorAll("th").forEach((heading, index) => {
      if (index === state.column) heading.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    shown.textContent = `${state.kept.length} of ${rows.length} cases`;
    range.textContent = state.kept.length ? `${state.start + 1} to ${end}` : "no case fits";
    earlier.disabled = state.start === 0;
    later.disabled = end === state.kept.length;
  };

  head.append(...columns.map((column, index) => {
    const heading = document.createElement("th");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = column.label;
    button.title = column.meaning || "";
    button.addEventListener("click", () => {
      state.descending = state.column === index ? !state.descending : column.number;
      state.column = index;
      arrange();
    });
    heading.scope = "col";
    if (column.number) heading.className = "number";
    heading.append(button);
    return heading;
  }));

  const offer = (select, index) => {
    [...new Set(rows.map((row) => row[index]))].sort().forEach((name) => select.append(new Option(name, name)));
    select.addEventListener("change", arrange);
  };
  offer(bench, at.bench);
  offer(status, at.status);
  filter.addEventListener("input", arrange);
  earlier.addEventListener("click", () => { state.start -= page; draw(); });
  later.addEventListener("click", () => { state.start += page; draw(); });
  arrange();
})();
