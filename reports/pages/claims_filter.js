// Filters and sorts the table of all claims. Without it, the table keeps the order of the article.
(() => {
  const table = document.getElementById("all-claims");
  if (!table) return;
  const rows = [...table.querySelectorAll("tbody tr[data-verdict]")];
  const groups = [...table.tBodies];
  const home = new Map(rows.map((row) => [row, row.parentElement]));
  const flat = document.createElement("tbody");
  const state = { column: null, direction: 1, words: [] };

  const bar = document.createElement("form");
  bar.className = "filters";
  bar.setAttribute("role", "search");
  bar.addEventListener("submit", (event) => event.preventDefault());

  const labelled = (text, control) => {
    const label = document.createElement("label");
    const name = document.createElement("span");
    name.textContent = text;
    label.append(name, control);
    bar.append(label);
    return control;
  };

  const search = labelled("Search", document.createElement("input"));
  search.type = "search";
  search.placeholder = "a word or a number";

  const chooser = (text, key) => {
    const select = labelled(text, document.createElement("select"));
    const values = [...new Set(rows.map((row) => row.dataset[key]))];
    for (const value of ["", ...values]) {
      const option = new Option(value || "all", value);
      if (value) option.text += ` (${rows.filter((row) => row.dataset[key] === value).length})`;
      select.add(option);
    }
    select.dataset.key = key;
    return select;
  };
  const choosers = [
    chooser("Verdict", "verdict"),
    chooser("Severity", "severity"),
    chooser("Section", "place"),
    chooser("In this run", "run"),
  ];

  const order = labelled("Order", document.createElement("select"));
  order.add(new Option("as in the article", "article"));
  order.add(new Option("most severe first", "rank"));

  const reset = document.createElement("button");
  reset.type = "reset";
  reset.textContent = "Show all";
  const told = document.createElement("output");
  told.setAttribute("aria-live", "polite");
  bar.append(reset, told);

  const matches = (row) =>
    state.words.every((word) => row.textContent.toLowerCase().includes(word)) &&
    choosers.every((select) => !select.value || row.dataset[select.dataset.key] === select.value);

  const key = (row) => {
    if (state.column === null) return Number(row.dataset.rank || Infinity);
    const text = row.cells[state.column].textContent.trim();
    const number = text.replace("−", "-").match(/^[^\d-]*(-?\d[\d.]*)/);
    return number ? Number(number[1]) : text.toLowerCase();
  };

  const compare = (a, b) => {
    const [first, second] = [key(a), key(b)];
    if (typeof first !== typeof second) return typeof first === "number" ? -1 : 1;
    return (first > second ? 1 : first < second ? -1 : 0) * state.direction;
  };

  const show = () => {
    const sorted = state.column !== null || order.value === "rank";
    if (sorted) {
      flat.append(...rows.slice().sort(compare));
      for (const group of groups) group.remove();
      table.append(flat);
    } else {
      flat.remove();
      for (const row of rows) home.get(row).append(row);
      table.append(...groups);
    }
    let left = 0;
    for (const row of rows) {
      row.hidden = !matches(row);
      left += !row.hidden;
    }
    for (const group of groups) {
      const heading = group.querySelector("tr.group");
      if (heading) heading.hidden = ![...group.querySelectorAll("tr[data-verdict]")].some((row) => !row.hidden);
    }
    told.textContent = `${left} of ${rows.length} claims`;
  };

  const titles = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  titles.forEach((title, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...title.childNodes);
    title.append(button);
    button.addEventListener("click", () => {
      const again = state.column === column;
      if (again && state.direction < 0) state.column = null;
      else state.column = column;
      state.direction = again ? -1 : 1;
      titles.forEach((each, i) => {
        if (i === state.column) each.setAttribute("aria-sort", state.direction > 0 ? "ascending" : "descending");
        else each.removeAttribute("aria-sort");
      });
      show();
    });
  });

  const unsorted = () => {
    state.column = null;
    state.direction = 1;
    for (const title of titles) title.removeAttribute("aria-sort");
  };
  search.addEventListener("input", () => {
    state.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    show();
  });
  for (const select of choosers) select.addEventListener("change", show);
  order.addEventListener("change", () => {
    unsorted();
    show();
  });
  bar.addEventListener("reset", () => {
    state.words = [];
    unsorted();
    setTimeout(show);
  });

  table.closest(".table-box").before(bar);
  // A link to a claim shows it whatever the filters are.
  addEventListener("hashchange", () => bar.reset());
  show();
})();
