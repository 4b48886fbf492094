// Small helps on Goalpost's pages. Everything works without them.
"use strict";

(() => {
    // ---- Goals of a status: a comma list, with the counter's known goals offered while one writes ----
    const split = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);

    function knownGoals(input) {
        const shared = input.dataset.goalsFrom && document.getElementById(input.dataset.goalsFrom);
        return JSON.parse((shared ? shared.textContent : input.dataset.goals) || "[]");
    }

    function closePicker() {
        document.querySelectorAll(".gp-picker__list").forEach((list) => list.remove());
    }

    function openPicker(input) {
        closePicker();
        const chosen = split(input.value);
        const begun = input.value.endsWith(",") || !input.value.trim() ? "" : chosen[chosen.length - 1] || "";
        const goals = knownGoals(input);
        const complete = goals.some(([id]) => id === begun);
        const rest = goals.filter(([id, name]) => !chosen.includes(id)
            && (complete || !begun || `${id} ${name}`.toLowerCase().includes(begun.toLowerCase())));
        if (!rest.length) return;
        const list = document.createElement("div");
        list.className = "gp-picker__list";
        list.setAttribute("role", "listbox");
        list.setAttribute("aria-label", input.labels?.[0]?.textContent.trim() || input.getAttribute("aria-label") || "");
        rest.slice(0, 100).forEach(([id, name]) => {
            const item = document.createElement("button");
            item.type = "button";
            item.className = "gp-picker__item";
            item.setAttribute("role", "option");
            item.tabIndex = -1;
            const strong = document.createElement("span");
            strong.className = "gp-strong";
            strong.textContent = id;
            const sub = document.createElement("span");
            sub.className = "gp-sub";
            sub.textContent = name;
            item.append(strong, sub);
            item.addEventListener("mousedown", (event) => {
                event.preventDefault();
                const kept = begun && !complete ? chosen.slice(0, -1) : chosen;
                input.value = [...kept, id].join(", ");
                input.dispatchEvent(new Event("input", { bubbles: true }));
                input.dispatchEvent(new Event("change", { bubbles: true }));
                openPicker(input);
            });
            list.append(item);
        });
        const box = input.getBoundingClientRect();
        Object.assign(list.style, {
            position: "fixed", left: `${box.left}px`, top: `${box.bottom + 4}px`, right: "auto", margin: "0",
            width: `${Math.max(box.width, 240)}px`,
        });
        document.body.append(list);
    }

    const goalsInput = (event) => event.target.closest?.("input[data-goals-from]");
    document.addEventListener("focusin", (event) => { const input = goalsInput(event); if (input) openPicker(input); });
    document.addEventListener("input", (event) => { const input = goalsInput(event); if (input) openPicker(input); });
    document.addEventListener("focusout", (event) => { if (goalsInput(event)) closePicker(); });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") closePicker(); });
    document.addEventListener("scroll", closePicker, { capture: true, passive: true });

    // ---- The forecast beside a status follows what is being written ----
    function redraw(row) {
        const cell = row.querySelector("[data-forecast]");
        const type = row.querySelector("select[name$='-type'], select[name='type']");
        const goals = row.querySelector("input[data-goals-from]");
        const facts = document.getElementById("gp-system-goals");
        if (!cell || !type || !goals || !facts) return;
        const system = JSON.parse(facts.textContent)[type.value] || [];
        const own = [...new Set(split(goals.value))];
        cell.replaceChildren();
        [...system, ...own].forEach((goal) => {
            const chip = document.createElement("span");
            chip.className = "gp-chip gp-chip--soon";
            chip.textContent = goal;
            cell.append(chip);
        });
        if (!system.length && !own.length) {
            const nothing = document.createElement("span");
            nothing.className = "gp-sub";
            nothing.textContent = cell.dataset.forecast;
            cell.append(nothing);
        }
    }
    for (const name of ["input", "change"]) {
        document.addEventListener(name, (event) => {
            const row = event.target.closest?.("tr.form-row, form.gp-form");
            if (row) redraw(row);
        });
    }

    // ---- "Cancel" in the dialog closes it; on a page of its own it is a link ----
    document.addEventListener("click", (event) => {
        const cancel = event.target.closest?.("[data-gp-cancel]");
        if (cancel && cancel.closest("#modal-content")) {
            event.preventDefault();
            window.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
        }
    });

    // ---- What one has opened stays open when a page draws a part of itself anew ----
    const opened = new Set();
    document.addEventListener("htmx:beforeOnLoad", () => {
        opened.clear();
        document.querySelectorAll("details[open][id]").forEach((details) => opened.add(details.id));
    });
    document.addEventListener("htmx:afterSettle", () => {
        opened.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    });

    // ---- "Copy" beside a field ----
    document.addEventListener("click", (event) => {
        const button = event.target.closest?.("[data-gp-copy]");
        const field = button && document.getElementById(button.dataset.gpCopy);
        if (!field) return;
        const done = () => { button.textContent = button.dataset.gpCopied; };
        field.select();
        if (navigator.clipboard) navigator.clipboard.writeText(field.value).then(done, () => {});
        else if (document.execCommand("copy")) done();
    });

    // ---- A form is sent once ----
    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (!form.matches(".gp-form")) return;
        if (form.dataset.sent) { event.preventDefault(); return; }
        form.dataset.sent = "1";
    });
    // "Back" brings a page as it was left, its forms sent: they may be sent anew.
    window.addEventListener("pageshow", (event) => {
        if (!event.persisted) return;
        document.querySelectorAll("form[data-sent]").forEach((form) => { delete form.dataset.sent; });
    });

    // ---- A dialog that is refused says why: the theme opens it all the same, and it would be empty ----
    document.addEventListener("htmx:responseError", (event) => {
        const { target, xhr } = event.detail;
        if (target?.id !== "modal-content") return;
        const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
        const told = document.createElement("div");
        told.setAttribute("role", "alert");
        const dialog = page.getElementById("dialog");
        if (dialog) told.append(...dialog.children);
        else told.textContent = `${xhr.status} ${page.title || xhr.statusText}`;
        target.replaceChildren(told);
    });
})();
