// Search and sort of the largest items. Without it the page is whole: the table is just not sortable.
(() => {
  "use strict";
  const table = document.getElementById("largest");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const plain = (text) => text.normalize("NFKC").toLowerCase();
  const texts = new Map(rows.map((row) => [row, plain(row.textContent)]));
  const order = new Intl.Collator("en", { numeric: true });

  // Amounts are sorted by their rank, which the report worked out exactly: here they would be rounded.
  const value = (row, column, by) => {
    const cell = row.cells[column];
    return by === "number" ? Number(cell.dataset.key) : cell.textContent.trim();
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    const by = head.dataset.by;
    button.addEventListener("click", () => {
      const first = by === "number" && column !== 1 ? "descending" : "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      const now = head.getAttribute("aria-sort") === first ? second : first;
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", now);
      const sign = now === "ascending" ? 1 : -1;
      const compare = (one, other) => {
        const [a, b] = [value(one, column, by), value(other, column, by)];
        return sign * (by === "number" ? a - b : order.compare(a, b));
      };
      body.append(...[...rows].sort(compare));
    });
  });

  const search = document.getElementById("search");
  const found = document.getElementById("found");
  search.closest("[hidden]").hidden = false;
  const look = () => {
    // Words in quotes stand together.
    const words = (plain(search.value).match(/"[^"]+"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""));
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => texts.get(row).includes(word));
      shown += row.hidden ? 0 : 1;
    }
    found.textContent = words.length ? `${shown} of ${rows.length} shown` : "";
  };
  search.addEventListener("input", look);
  // A line of the bridge shows its rows.
  for (const link of document.querySelectorAll("a[data-find]")) {
    link.addEventListener("click", () => {
      search.value = `"${link.dataset.find}"`;
      look();
    });
  }
  // A form that comes back filled in, as after a reload, is looked at too.
  look();
})();
