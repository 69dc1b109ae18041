"use strict";
// Filters, sorts and unfolds the results. Texts of guests reach the page as text nodes only: nothing here
// makes markup of text, and the policy of the page (trusted-types 'none') would refuse it.
(() => {
  const [HOST, CHECK, OUTCOME, SEVERITY, TONE, LEFT, SECONDS, MESSAGE, DETAILS] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const [NAME, OS, ZONE, STATE, STATE_TONE] = [0, 1, 2, 3, 4];
  const STEP = 100;
  const MOST_PRINTED = 5000;
  const SYMBOLS = {bad: "✖", unknown: "?", held: "‖", warning: "▲", note: "i", waived: "○", skipped: "·", good: "✔"};
  const SEVERITIES = ["error", "warning", "info", ""];
  const byId = (id) => document.getElementById(id);

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  async function unpack() {
    const binary = atob(byId("data").textContent);
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  function start({rows, hosts, words, tones, shortened}) {
    const filters = {
      host: byId("filter-host"), state: byId("filter-state"), zone: byId("filter-zone"),
      check: byId("filter-check"), severity: byId("filter-severity"), outcome: byId("filter-outcome"),
      left: byId("filter-left"),
    };
    const headings = [...document.querySelectorAll("th[data-key]")];
    const labels = Object.fromEntries(headings.map((heading) => [heading.dataset.key, heading.textContent]));
    const body = byId("rows"), more = byId("more");
    let order = {key: "", descending: false};
    let found = [], shown = 0;

    const collator = new Intl.Collator("en", {numeric: true});
    const text = (a, b) => collator.compare(a, b);
    // Names are compared once each, not once a comparison of rows.
    const ranks = (names) => {
      const ranked = [...names.keys()].sort((a, b) => text(names[a], names[b]));
      const rank = [];
      ranked.forEach((index, position) => { rank[index] = position; });
      return rank;
    };
    const hostRank = ranks(hosts.map((host) => host[NAME]));
    const zoneRank = ranks(hosts.map((host) => host[ZONE]));
    const wordRank = ranks(words);
    const zoneOf = (row) => hosts[row[HOST]][ZONE];
    const comparisons = {
      host: (a, b) => hostRank[a[HOST]] - hostRank[b[HOST]],
      zone: (a, b) => (zoneOf(a) === zoneOf(b) ? 0 : zoneRank[a[HOST]] - zoneRank[b[HOST]]),
      check: (a, b) => wordRank[a[CHECK]] - wordRank[b[CHECK]],
      severity: (a, b) => SEVERITIES.indexOf(words[a[SEVERITY]]) - SEVERITIES.indexOf(words[b[SEVERITY]]),
      outcome: (a, b) => a[TONE] - b[TONE] || wordRank[a[OUTCOME]] - wordRank[b[OUTCOME]],
      message: (a, b) => (a[MESSAGE] < b[MESSAGE] ? -1 : a[MESSAGE] > b[MESSAGE] ? 1 : 0),
      seconds: (a, b) => a[SECONDS] - b[SECONDS],
    };

    function offer(select, values) {
      const known = [...new Set(values)].filter((value) => value !== "").sort(text);
      for (const value of known) select.append(element("option", {value, textContent: value}));
      select.parentElement.hidden = known.length === 0;
      return known;
    }

    function matching() {
      const host = filters.host.value.trim().toLowerCase();
      const wanted = hosts.map((entry) =>
        (!host || entry[NAME].toLowerCase().includes(host)) &&
        (!filters.state.value || entry[STATE] === filters.state.value) &&
        (!filters.zone.value || entry[ZONE] === filters.zone.value));
      const same = (row, index, select) => !select.value || words[row[index]] === select.value;
      return rows.filter((row) => wanted[row[HOST]] && (!filters.left.checked || row[LEFT]) &&
        same(row, CHECK, filters.check) && same(row, SEVERITY, filters.severity) &&
        same(row, OUTCOME, filters.outcome));
    }

    function pill(tone, word) {
      return element("span", {className: `pill ${tone}`},
        element("span", {ariaHidden: "true", textContent: SYMBOLS[tone]}), ` ${word}`);
    }

    function message(row) {
      const shortened_ = row[MESSAGE] || "(no message)";
      if (!row[DETAILS]) return document.createTextNode(shortened_);
      const details = element("details", {}, element("summary", {dir: "auto", textContent: shortened_}));
      details.addEventListener("toggle", () => unfold(details, row));
      return details;
    }

    function unfold(details, row) {
      if (details.querySelector("dl")) return;
      const list = element("dl", {});
      for (const [name, value] of row[DETAILS]) {
        const long = value.length > 1000 || value.split("\n").length > 15;
        list.append(element("dt", {textContent: name}),
          element("dd", {dir: "auto", textContent: value, ...(long ? {tabIndex: 0} : {})}));
      }
      details.append(list);
    }

    function draw(row) {
      const host = hosts[row[HOST]];
      const state = element("span", {className: `state ${tones[host[STATE_TONE]]}`}, `${host[STATE]}, ${host[OS]}`);
      const cells = {
        host: [host[NAME], state], zone: [host[ZONE]], check: [words[row[CHECK]]], severity: [words[row[SEVERITY]]],
        outcome: [pill(tones[row[TONE]], words[row[OUTCOME]])], message: [message(row)],
        seconds: [row[SECONDS].toFixed(2)],
      };
      const line = element("tr", {role: "row"});
      for (const [key, children] of Object.entries(cells)) {
        const cell = element("td", {role: "cell", className: key}, ...children.filter((child) => child !== ""));
        cell.dataset.label = labels[key];
        line.append(cell);
      }
      return line;
    }

    function showMore(count) {
      body.append(...found.slice(shown, shown + count).map(draw));
      shown = Math.min(found.length, shown + count);
      more.hidden = shown >= found.length;
      more.textContent = `Show ${Math.min(STEP, found.length - shown)} more`;
      const hostsFound = new Set(found.map((row) => row[HOST])).size;
      byId("status").textContent = `${found.length} of ${rows.length} results, on ${hostsFound} of ` +
        `${hosts.length} hosts` + (shown < found.length ? `; the first ${shown} are shown` : "") +
        (shortened ? `. ${shortened} results are shortened to keep this file small; ` +
          "fleet report with --format json has all of them" : "");
    }

    function refresh() {
      found = matching();
      const compare = comparisons[order.key];
      if (compare) found.sort(order.descending ? (a, b) => compare(b, a) : compare);
      body.replaceChildren();
      shown = 0;
      showMore(STEP);
    }

    function sortBy(heading) {
      const key = heading.dataset.key;
      order = {key, descending: order.key === key && !order.descending};
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
      refresh();
    }

    offer(filters.state, hosts.map((host) => host[STATE]));
    const zones = offer(filters.zone, hosts.map((host) => host[ZONE]));
    for (const [name, index] of [["check", CHECK], ["severity", SEVERITY], ["outcome", OUTCOME]]) {
      offer(filters[name], [...new Set(rows.map((row) => row[index]))].map((word) => words[word]));
    }
    byId("frame").classList.toggle("no-zone", zones.length === 0);
    filters.left.checked = rows.some((row) => row[LEFT]);
    filters.left.parentElement.hidden = !filters.left.checked;
    const form = byId("filters");
    for (const field of Object.values(filters)) {
      field.addEventListener(field === filters.host ? "input" : "change", refresh);
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    byId("show-all").addEventListener("click", () => { form.reset(); refresh(); });
    for (const heading of headings) heading.firstElementChild.addEventListener("click", () => sortBy(heading));
    more.addEventListener("click", () => {
      const next = shown;
      showMore(STEP);
      body.children[next].querySelector("summary")?.focus();
    });
    window.addEventListener("beforeprint", () => {
      showMore(MOST_PRINTED - shown);
      for (const details of document.querySelectorAll(".told details")) details.open = true;
    });
    form.hidden = false;
    byId("frame").hidden = false;
    refresh();
  }

  unpack().then(start).catch((error) => {
    const problem = byId("problem");
    problem.textContent = `The results can't be shown by this browser (${error.message}); the summary above is whole.`;
    problem.hidden = false;
  });
})();
