// Keys of Goalpost's pages, and menus that open under a button. Everything is reached without them as well.
"use strict";

(() => {
    const isWriting = () => {
        const at = document.activeElement;
        return Boolean(at && (at.isContentEditable || at.matches("input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select")));
    };
    const isShown = (one) => Boolean(one) && getComputedStyle(one).display !== "none";
    const isAsked = () => Boolean(document.querySelector("dialog[open]"))
        || isShown(document.getElementById("gp-search"))
        || Boolean(document.querySelector("#modal-content #dialog")?.offsetParent);
    const openSearch = () => window.dispatchEvent(new CustomEvent("opencommand"));

    const deeds = {
        "/": () => {
            const search = document.getElementById("searchbar");
            if (search) { search.focus(); search.select(); } else openSearch();
        },
        "?": () => document.getElementById("gp-keys")?.showModal(),
        j: () => document.querySelector(".gp-turn a[rel=next]")?.click(),
        k: () => document.querySelector(".gp-turn a[rel=prev]")?.click(),
    };
    document.addEventListener("keydown", (event) => {
        if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isWriting() || isAsked()) return;
        // On a Russian keyboard "/" and "?" stand elsewhere and letters are others: the places of the keys count there.
        const byPlace = { KeyJ: "j", KeyK: "k", Slash: event.shiftKey ? "?" : "/" };
        const key = event.key in deeds ? event.key : /^[\u0400-\u04ff.,]$/.test(event.key) ? byPlace[event.code] : "";
        if (!key || !document.getElementById("gp-keys")) return;
        event.preventDefault();
        deeds[key]();
    });

    // ---- The search everywhere: the focus goes back to where it was ----
    let before = null;
    window.addEventListener("opencommand", () => { before = document.activeElement; });
    document.addEventListener("keydown", (event) => {
        if (event.key === "k" && (event.ctrlKey || event.metaKey) && !isWriting()) before = document.activeElement;
    }, true);
    document.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && event.target.id === "search-input-command") setTimeout(() => before?.focus?.(), 0);
    });

    // ---- Menus that open under a button: one at a time, closed by Escape and by a click elsewhere ----
    const open = () => [...document.querySelectorAll("details[data-gp-drop][open]")];
    document.addEventListener("click", (event) => {
        open().forEach((menu) => { if (!menu.contains(event.target)) menu.removeAttribute("open"); });
    });
    document.addEventListener("keydown", (event) => {
        if (event.key !== "Escape") return;
        open().forEach((menu) => { menu.removeAttribute("open"); menu.querySelector("summary").focus(); });
    });
})();
