// Tables of rows: searched, sorted, filtered by the columns that hold few values; a button opens what is told of a row.
for (const box of document.querySelectorAll(".rows")) {
  const element = box.querySelector("table");
  const heads = [...element.querySelectorAll("thead th")];
  const table = new DataTable(element, {
    pageLength: 25, lengthChange: false, autoWidth: false,
    order: JSON.parse(box.dataset.order || "[]"),
    columnDefs: [{orderable: false, searchable: false, targets: 0}],
  });
  const filters = box.querySelector(".filters");
  heads.forEach((head, column) => {
    if (!("filter" in head.dataset)) return;
    const label = document.createElement("label");
    const select = document.createElement("select");
    const values = [...new Set(table.column(column).data().toArray())].sort();
    select.append(new Option("all", ""), ...values.map((value) => new Option(value || "(none)", value)));
    select.addEventListener("change", () => {
      const exact = select.selectedIndex === 0 ? null : (value) => value === select.value;
      table.column(column).search(exact ?? "").draw();
    });
    label.append(head.textContent + " ", select);
    filters.append(label);
  });
  element.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-detail]");
    if (!button) return;
    const row = table.row(button.closest("tr"));
    const open = row.child.isShown();
    if (open) row.child.hide();
    else row.child(document.getElementById(button.dataset.detail).innerHTML, "detail").show();
    button.textContent = open ? "+" : "−";
    button.setAttribute("aria-expanded", String(!open));
  });
}
