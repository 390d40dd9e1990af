"use strict";
// The pages work without this script; with it: theme, copy buttons, sorting, and the search of findings and cases.
(() => {
  const root = document.documentElement;

  // -- theme: the system's, unless the reader chose; storage may be refused -------------------------------------------
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const store = (name) => { try { localStorage.setItem("theme", name); } catch { /* then it lasts for this page */ } };
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const chosen = stored();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  function themeButton() {
    const button = document.getElementById("theme");
    const name = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to the ${dark() ? "light" : "dark"} theme`); };
    button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; store(root.dataset.theme); name(); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
    name();
    button.hidden = false;
  }

  // -- the pages of the site: those in a folder name the first two -----------------------------------------------------
  const PAGES = ["Semantics", "Agreement", "Modes", "Versions", "Accuracy", "Stability", "Benchmarks", "Runs"];
  function pages(nav) {
    const root = nav.querySelector("a").getAttribute("href").replace(/index\.html$/, "");
    if (!root) return;
    for (const name of PAGES) {
      const link = document.createElement("a");
      link.href = `${root}${name.toLowerCase()}.html`;
      link.textContent = name;
      nav.append(link, " ");
    }
  }

  // -- copy ------------------------------------------------------------------------------------------------------------
  async function copy(button) {
    const code = button.parentElement.querySelector("code");
    let done = true;
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch { // no permission, or no secure context: the selection is copied the old way
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  function copyButton(text) {
    const label = text.dataset.copy;
    text.setAttribute("role", "region");
    text.setAttribute("aria-label", label);
    const around = document.createElement("div"), button = document.createElement("button");
    around.className = "copy";
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${label}`);
    button.addEventListener("click", () => copy(button));
    text.replaceWith(around);
    around.append(button, text);
  }

  // -- lists of cases and wrong backends -----------------------------------------------------------------------------------
  function filterRows(form) {
    const input = form.querySelector("input");
    const status = form.querySelector("[role=status]");
    const sections = [...document.querySelectorAll("main section")].map((section) =>
      [section, [...section.querySelectorAll("tbody tr")].map((row) => [row, row.textContent.toLowerCase()])]);
    const show = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const [section, rows] of sections) {
        const heading = section.querySelector("h2").textContent.toLowerCase();
        let here = 0;
        for (const [row, text] of rows) {
          const fits = words.every((word) => text.includes(word) || heading.includes(word));
          row.hidden = !fits;
          here += fits;
        }
        section.hidden = !here;
        count += here;
      }
      status.textContent = `${count.toLocaleString("en")} ${form.dataset.filter}${count === 1 ? "" : "s"}`;
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    input.addEventListener("input", show);
    form.hidden = false;
    show();
  }

  // -- the semantics matrix --------------------------------------------------------------------------------------------
  function differences(form) {
    const box = form.querySelector("input");
    const status = form.querySelector("[role=status]");
    const rows = [...document.querySelectorAll(".semantics tbody tr")];
    const show = () => {
      for (const row of rows) row.hidden = box.checked && !("differs" in row.dataset);
      const count = rows.filter((row) => !row.hidden).length;
      status.textContent = `${count} ${count === 1 ? "policy" : "policies"}`;
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    box.addEventListener("change", show);
    form.hidden = false;
    show();
  }

  // -- findings ------------------------------------------------------------------------------------------------------------
  // A row: verdict, column, case, theme, op, dtype, reduction, check, layout, observed, expected, ulp, class, message, number.
  const PAGE = 100;
  const [VERDICT, COLUMN, CASE, THEME, DTYPE, ULP, NUMBER] = [0, 1, 2, 3, 5, 11, 14];

  function findings(data) {
    const form = document.getElementById("filter");
    const table = document.getElementById("findings");
    const body = table.tBodies[0];
    const status = document.getElementById("count");
    const pager = document.querySelector(".pager");
    const { verdicts, columns, cases, themes, words, rows } = data;
    const texts = rows.map((row) => [verdicts[row[VERDICT]], columns[row[COLUMN]][0], cases[row[CASE]][0], themes[row[THEME]],
      ...row.slice(4, NUMBER).map((place) => words[place])].join("\n").toLowerCase());
    let shown = [], page = 0, sorting = null;

    const option = (select, value, name) => select.add(new Option(name, value));
    for (const v of new Set(rows.map((row) => row[VERDICT]))) option(form.verdict, String(v), verdicts[v]);
    columns.forEach(([name], place) => option(form.backend, String(place), name));
    [...themes].sort().forEach((name) => option(form.theme, name, name));
    for (const d of new Set(rows.map((row) => row[DTYPE]))) if (words[d]) option(form.dtype, String(d), words[d]);

    const sortKey = { 0: (r) => r[0], 1: (r) => columns[r[1]][0], 2: (r) => cases[r[2]][0], 11: (r) => size(words[r[ULP]]), 12: (r) => words[r[12]] };
    const size = (text) => text === "" ? -1 : text === "∞" ? Infinity : Number(text);

    function select() {
      const asked = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
      const [verdict, backend, theme, dtype] = ["verdict", "backend", "theme", "dtype"].map((name) => form[name].value);
      const themePlace = themes.indexOf(theme);
      shown = [];
      let count = 0;
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i];
        if (verdict !== "" && row[VERDICT] !== Number(verdict)) continue;
        if (backend !== "" && row[COLUMN] !== Number(backend)) continue;
        if (theme !== "" && row[THEME] !== themePlace) continue;
        if (dtype !== "" && row[DTYPE] !== Number(dtype)) continue;
        const text = texts[i];
        if (!asked.every((word) => text.includes(word))) continue;
        shown.push(row);
        count += row[NUMBER];
      }
      if (sorting) {
        const [key, way] = sorting;
        shown.sort((a, b) => { const x = sortKey[key](a), y = sortKey[key](b); return (x < y ? -1 : x > y ? 1 : 0) * way; });
      }
      page = 0;
      const more = data.hidden ? `; ${data.hidden.toLocaleString("en")} more are in the results files` : "";
      status.textContent = shown.length === 0 ? "No finding fits: what was checked here is right."
        : `${count.toLocaleString("en")} check${count === 1 ? "" : "s"} in ${shown.length.toLocaleString("en")} row${shown.length === 1 ? "" : "s"}${more}`;
      draw();
    }

    function cell(line, content, kind) {
      const td = document.createElement("td");
      if (kind) td.className = kind;
      td.append(content);
      line.append(td);
    }

    function draw() {
      const lines = document.createDocumentFragment();
      for (const row of shown.slice(page * PAGE, (page + 1) * PAGE)) {
        const line = document.createElement("tr");
        const verdict = verdicts[row[VERDICT]];
        const word = document.createElement("b");
        word.className = `v v-${verdict.replace(" ", "-")}`;
        word.textContent = row[NUMBER] > 1 ? `${verdict} × ${row[NUMBER]}` : verdict;
        const link = document.createElement("a");
        const [name, slug] = cases[row[CASE]];
        link.href = `cases/${slug}.html#b-${columns[row[COLUMN]][1]}`;
        link.textContent = name;
        cell(line, word);
        cell(line, columns[row[COLUMN]][0]);
        cell(line, link);
        cell(line, row.slice(4, 9).map((place) => words[place]).filter(Boolean).join(", "));
        for (const place of row.slice(9, 11)) cell(line, words[place]);
        cell(line, words[row[11]], "r");
        cell(line, words[row[12]]);
        cell(line, words[row[13]], "msg");
        lines.append(line);
      }
      body.replaceChildren(lines);
      table.hidden = shown.length === 0;
      const pages = Math.ceil(shown.length / PAGE);
      pager.hidden = pages < 2;
      document.getElementById("page").textContent = `page ${page + 1} of ${pages}`;
      document.getElementById("before").disabled = page === 0;
      document.getElementById("after").disabled = page >= pages - 1;
    }

    // The address holds the filter, so that it can be passed on; a cell of the matrix has an address of its own.
    function remember() {
      const state = new URLSearchParams();
      for (const name of ["verdict", "backend", "theme", "dtype", "q"]) {
        const field = form[name];
        const value = name === "backend" && field.value !== "" ? columns[field.value][1]
          : field.tagName === "SELECT" && field.value !== "" ? field.selectedOptions[0].text : field.value;
        if (value) state.set(name, value);
      }
      try { history.replaceState(null, "", `#${state}`); } catch { /* a file's address may be fixed */ }
    }

    const clear = () => { for (const field of form.querySelectorAll("input, select")) field.value = ""; };

    function fromAddress() {
      const hash = decodeURIComponent(location.hash.slice(1));
      const cellLink = hash && document.getElementById(hash)?.querySelector("[data-cell]");
      if (cellLink) {
        clear();
        form.backend.value = cellLink.dataset.backend;
        form.theme.value = cellLink.dataset.theme;
        select();
        return;
      }
      if (hash.includes("=")) {
        clear();
        const state = new URLSearchParams(location.hash.slice(1));
        form.q.value = state.get("q") ?? "";
        const backend = columns.findIndex(([, slug]) => slug === state.get("backend"));
        if (backend >= 0) form.backend.value = String(backend);
        for (const name of ["verdict", "theme", "dtype"]) {
          const found = [...form[name].options].find((each) => each.text === state.get(name));
          if (found) form[name].value = found.value;
        }
      }
      select();
    }

    const changed = () => { select(); remember(); };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", changed);
    form.addEventListener("reset", () => setTimeout(changed));
    const turn = (by) => { page += by; draw(); document.getElementById("find").scrollIntoView(); };
    document.getElementById("before").addEventListener("click", () => turn(-1));
    document.getElementById("after").addEventListener("click", () => turn(1));
    addEventListener("hashchange", fromAddress);
    for (const link of document.querySelectorAll("[data-cell]")) {
      link.addEventListener("click", () => {
        setTimeout(() => { fromAddress(); document.getElementById("find").scrollIntoView(); status.focus(); });
      });
    }
    for (const head of table.querySelectorAll("th[data-key]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const key = head.dataset.key;
        const way = sorting && sorting[0] === key ? -sorting[1] : 1;
        sorting = [key, way];
        for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
        select();
      });
    }
    form.hidden = false;
    fromAddress();
  }

  // A fragment may name what is folded away.
  const unfold = () => { const named = document.getElementById(location.hash.slice(1)); const folded = named?.closest("details"); if (folded) { folded.open = true; named.scrollIntoView(); } };

  addEventListener("DOMContentLoaded", () => {
    unfold();
    addEventListener("hashchange", unfold);
    pages(document.querySelector(".top nav"));
    themeButton();
    for (const text of document.querySelectorAll("[data-copy]")) copyButton(text);
    for (const form of document.querySelectorAll("form[data-filter]")) filterRows(form);
    for (const form of document.querySelectorAll("form[data-differences]")) differences(form);
    if (window.conformanceFindings) findings(window.conformanceFindings);
  });
})();
