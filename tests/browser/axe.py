"""What axe-core finds on a page. It sees what can be measured: contrast, names, roles; whether a page makes sense to
who hears it is left to people."""

from dataclasses import dataclass
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

IMPACTS = ("serious", "critical")


@dataclass(frozen=True, slots=True)
class Excused:
    """A rule that elements of this selector may break, and why."""

    rule: str
    selector: str
    why: str


EXCUSED: tuple[Excused, ...] = ()

_RUN = """async ([impacts, excused]) => {
    const found = await axe.run(document, {resultTypes: ["violations"], preload: false});
    const may = (rule, target) => excused.some(([of, selector]) =>
        of === rule && document.querySelector(target[target.length - 1])?.matches(selector));
    return found.violations.filter((one) => impacts.includes(one.impact)).flatMap((one) => one.nodes
        .filter((node) => !may(one.id, node.target))
        .map((node) => `${one.id} (${one.impact}): ${node.target.join(" ")}\\n    ${node.html.slice(0, 300)}\\n    `
            + node.failureSummary.replace(/\\s+/g, " ").slice(0, 400)));
}"""


def findings(page: Page) -> list[str]:
    """Serious and critical ones, each with the element that it is about."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    excused: Any = [(one.rule, one.selector) for one in EXCUSED]
    return list(page.evaluate(_RUN, [IMPACTS, excused]))
