// For who hears a page, or goes through it by the keyboard.
"use strict";

(() => {
    // Icons are words of a font: where the control says by itself what it does, they are not read out.
    function namesItself(control) {
        if (control.title || control.getAttribute("aria-label")) return true;
        const rest = control.cloneNode(true);
        rest.querySelectorAll(".material-symbols-outlined").forEach((icon) => icon.remove());
        return Boolean(rest.textContent.trim());
    }

    function hushIcons() {
        document.querySelectorAll(".material-symbols-outlined:not([aria-hidden])").forEach((icon) => {
            const control = icon.closest("a, button, label, summary, [role=button]");
            if (!control || namesItself(control)) icon.setAttribute("aria-hidden", "true");
        });
    }

    // What scrolls by itself can be reached, so that the arrow keys move it.
    function reachScrolling() {
        document.querySelectorAll(".gp-scroll, .gp-pre").forEach((box) => {
            const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
            if (scrolls && !box.hasAttribute("tabindex")) {
                box.tabIndex = 0;
                box.dataset.gpReached = "";
            } else if (!scrolls && "gpReached" in box.dataset) {
                box.removeAttribute("tabindex");
                delete box.dataset.gpReached;
            }
        });
    }

    // The field in which one looks for things to choose is called as what is chosen.
    function nameSearches() {
        document.querySelectorAll(".select2-search__field:not([aria-label])").forEach((field) => {
            let box = field.closest(".select2-container");
            while (box && !box.querySelector("label, legend")) box = box.parentElement;
            const label = box?.querySelector("label, legend").textContent.trim();
            if (label) field.setAttribute("aria-label", label);
        });
    }

    // A column's name beside its cell, on a phone, is written as at its head: the theme would write Each Word Large.
    function nameCells() {
        document.querySelectorAll("#result_list [data-label]").forEach((cell) => {
            const name = cell.dataset.label;
            if (name) cell.dataset.label = name[0].toUpperCase() + name.slice(1);
        });
    }

    function attend() {
        hushIcons();
        nameCells();
        reachScrolling();
        nameSearches();
        document.querySelector("#nav-sidebar-apps a.active")?.setAttribute("aria-current", "page");
    }
    document.addEventListener("DOMContentLoaded", attend);
    document.addEventListener("htmx:afterSettle", attend);
    document.addEventListener("toggle", reachScrolling, { capture: true });
    window.addEventListener("load", reachScrolling);
    // The theme makes these fields, and makes them anew, when it likes.
    document.addEventListener("DOMContentLoaded", () => {
        if (document.querySelector("select.admin-autocomplete"))
            new MutationObserver(nameSearches).observe(document.body, { childList: true, subtree: true });
    });
    window.addEventListener("resize", reachScrolling);

    // A dialog that opens takes the keyboard, and gives it back to what opened it.
    let opener = null;
    document.addEventListener("htmx:beforeRequest", (event) => {
        if (event.detail.target?.id === "modal-content") opener = document.activeElement;
    });
    document.addEventListener("htmx:afterSettle", (event) => {
        const dialog = event.target.closest?.("#modal-content");
        if (!dialog || dialog.contains(document.activeElement)) return;
        const field = dialog.querySelector("input:not([type=hidden]):not(:disabled), select, textarea");
        dialog.tabIndex = -1;
        requestAnimationFrame(() => {
            // Whoever was quicker keeps the field in which they are.
            if (!dialog.contains(document.activeElement)) (field || dialog).focus({ preventScroll: true });
        });
    });
    window.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && opener?.isConnected) opener.focus({ preventScroll: true });
        if (event.key === "Escape") opener = null;
    });
})();
