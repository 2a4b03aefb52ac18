"use strict";

// Each searchable table: sorted, filtered, and drawn a page at a time, so that ten thousand rows are no burden.
document.querySelectorAll(".searchable").forEach((place) => {
  const { columns, rows, kinds, sort, page } = JSON.parse(place.querySelector("script").textContent);
  const head = place.querySelector("thead tr");
  const body = place.querySelector("tbody");
  const tools = place.querySelector(".tools");
  const filter = tools.querySelector("input");
  const shown = tools.querySelector("output");
  const earlier = place.querySelector(".earlier");
  const later = place.querySelector(".later");
  const range = place.querySelector(".range");
  // A cell is null, a text, or [number to sort by, text to show]; a missing number is null.
  const value = (cell) => (Array.isArray(cell) ? cell[0] : cell);
  const text = (cell) => (cell === null ? "" : String(Array.isArray(cell) ? cell[1] : cell));
  const haystacks = rows.map((row) => row.map((cell, index) => `${columns[index].label}=${text(cell)}`).join(" ").toLowerCase());
  const choices = [];
  const first = columns.findIndex((column) => column.label === sort);
  const state = { column: first, descending: true, start: 0, kept: [], empty: [] };

  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? Infinity : -Infinity; // missing comes last
    return typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
  };

  const arrange = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const sign = state.descending ? -1 : 1;
    state.kept = rows.map((_, index) => index).filter((index) =>
      choices.every(({ select, column }) => !select.value || text(rows[index][column]) === select.value) &&
      words.every((word) => haystacks[index].includes(word)));
    if (state.column >= 0) {
      state.kept.sort((a, b) => {
        const order = compare(rows[a][state.column], rows[b][state.column]);
        return Number.isFinite(order) ? sign * order : Math.sign(order);
      });
    }
    // Filtered to one bench, the table shows the columns that its rows have.
    state.empty = columns.map((_, column) => state.kept.length > 0 && state.kept.every((index) => !text(rows[index][column])));
    state.start = 0;
    draw();
  };

  const cell = (row, column, index) => {
    const element = document.createElement("td");
    element.textContent = text(row[index]);
    element.className = column.number ? "number" : column.wide ? "wide" : "";
    element.title = element.textContent;
    element.hidden = state.empty[index];
    return element;
  };

  const draw = () => {
    const end = Math.min(state.start + page, state.kept.length);
    body.replaceChildren(...state.kept.slice(state.start, end).map((index) => {
      const line = document.createElement("tr");
      line.className = kinds[index];
      line.append(...columns.map((column, number) => cell(rows[index], column, number)));
      return line;
    }));
    head.querySelectorAll("th").forEach((heading, index) => {
      heading.hidden = state.empty[index];
      if (index === state.column) heading.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    shown.textContent = `${state.kept.length} of ${rows.length} rows`;
    range.textContent = state.kept.length ? `${state.start + 1} to ${end}` : "no row fits";
    earlier.disabled = state.start === 0;
    later.disabled = end === state.kept.length;
  };

  head.append(...columns.map((column, index) => {
    const heading = document.createElement("th");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = column.label;
    button.title = column.meaning;
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

  columns.forEach((column, index) => {
    if (!column.choice) return;
    const select = document.createElement("select");
    select.setAttribute("aria-label", column.label);
    select.append(new Option(`every ${column.label}`, ""));
    [...new Set(rows.map((row) => text(row[index])))].filter(Boolean).sort().forEach((name) => select.append(new Option(name, name)));
    select.addEventListener("change", arrange);
    shown.before(select);
    choices.push({ select, column: index });
  });
  filter.addEventListener("input", arrange);
  earlier.addEventListener("click", () => { state.start -= page; draw(); });
  later.addEventListener("click", () => { state.start += page; draw(); });
  arrange();
});

document.querySelectorAll("button.copy").forEach((button) => {
  const code = button.parentElement.querySelector("code");
  const done = () => {
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  };
  const select = () => { // where a page from disk may not reach the clipboard
    getSelection().selectAllChildren(code);
    if (document.execCommand("copy")) done();
  };
  button.addEventListener("click", () => {
    if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, select);
    else select();
  });
});
