"""The look of the page: rules of the classes that its parts name, written down so that no browser has to make them.

NiceGUI would send Tailwind, which builds these rules in the browser, on each page and after each change of it: 0.26 MB
of script, and a third of what the browser computes until the first paint.
"""

from typing import Final

_SIZES: Final = (10, 14, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 64, 80, 96)
"""In quarters of a rem."""
_GAPS: Final = (0, 1, 2, 3, 4, 6)


def _quarters(name: str, declaration: str, sizes: tuple[int, ...]) -> dict[str, str]:
    return {f"{name}-{size}": f"{declaration}:{size / 4:g}rem" for size in sizes}


RULES: Final[dict[str, str]] = {
    **_quarters("w", "width", _SIZES),
    **_quarters("h", "height", _SIZES),
    **_quarters("gap", "gap", _GAPS),
    **_quarters("gap-x", "column-gap", _GAPS),
    **_quarters("gap-y", "row-gap", _GAPS),
    "w-full": "width:100%",
    "grow": "flex-grow:1",
    "shrink-0": "flex-shrink:0",
    "no-wrap": "flex-wrap:nowrap",
    "half": "flex:1 1 45%;min-width:min(20rem,100%)",
    "third": "flex:1 1 22rem;min-width:min(18rem,100%)",
    "field": "flex:1 1 7rem;min-width:7rem",
    "field-wide": "flex:1 1 11rem;min-width:min(10rem,100%)",
    "min-w-0": "min-width:0",
    "max-w-xs": "max-width:20rem",
    "max-w-md": "max-width:28rem",
    "items-center": "align-items:center",
    "items-start": "align-items:flex-start",
    "items-end": "align-items:flex-end",
    "items-stretch": "align-items:stretch",
    "justify-center": "justify-content:center",
    "p-2": "padding:.5rem",
    "py-1": "padding-top:.25rem;padding-bottom:.25rem",
    "rounded": "border-radius:.25rem",
    "border": "border:1px solid currentcolor",
    "bg-white": "background-color:#fff",
    "bg-transparent": "background-color:transparent",
    "object-contain": "object-fit:contain",
    "object-cover": "object-fit:cover",
    "text-xs": "font-size:.75rem;line-height:1.33",
    "text-sm": "font-size:.875rem;line-height:1.43",
    "text-lg": "font-size:1.125rem;line-height:1.55",
    "text-xl": "font-size:1.25rem;line-height:1.4",
    "text-right": "text-align:right",
    "font-bold": "font-weight:700",
    "break-all": "word-break:break-all",
    "opacity-70": "opacity:.7",
    "hidden": "display:none",
}
"""Declarations of each class."""


def _escaped(name: str) -> str:
    return "".join(one if one.isalnum() or one in "-_" else f"\\{one}" for one in name)


_RESET: Final = """
@layer base {
  *, ::before, ::after { box-sizing: border-box; margin: 0; padding: 0; border: 0 solid; }
  html { line-height: 1.5; font-family: Roboto, system-ui, sans-serif; }
  img, video, canvas { display: block; max-width: 100%; }
  button, input { font: inherit; color: inherit; background-color: transparent; }
  code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .875rem; }
  a { color: inherit; }
  table { border-collapse: collapse; }
}
"""
_PAGE: Final = """
.nicegui-content { max-width: 1680px; margin: 0 auto; }
body { --q-primary: #1d4ed8 !important; --q-positive: #15803d !important; --q-negative: #c81e2b !important; }
body.body--dark {
  --q-primary: #7db0fb !important; --q-positive: #4ade80 !important; --q-negative: #f87171 !important;
}
.nicegui-header { background: #0f2149 !important; }
@layer theme { /* of two important rules that of the first layer holds */
  :focus-visible, .q-field:has(:focus-visible) .q-field__control, :has(> .no-outline:focus-visible) {
    outline: 3px solid #f59e0b !important; outline-offset: 1px !important;
  }
  .q-field__control :focus-visible, .no-outline:focus-visible { outline: none !important; }
  .body--dark :is(.bg-primary, .bg-positive, .bg-negative, .q-uploader__header) { color: #0b1220 !important; }
}
.semlink-right { color: #117a49; } .body--dark .semlink-right { color: #4ade80; }
.semlink-wrong { color: #c81e2b; } .body--dark .semlink-wrong { color: #f87171; }
.q-uploader__list { padding: 0; min-height: 0; }
.q-uploader__subtitle { display: none; }
.semlink-empty { visibility: hidden; height: 0; overflow: hidden; }
.semlink-square { width: min(100%, 22rem); height: auto; aspect-ratio: 1; align-self: center; }
.semlink-bar { display: flex; height: 34px; border-radius: 4px; overflow: hidden; }
.semlink-bar + ul { list-style: none; display: flex; flex-wrap: wrap; gap: .15rem 1.25rem; margin-top: .75rem; }
.semlink-bar + ul li { display: flex; align-items: center; gap: .4rem; font-size: .875rem; }
.semlink-bar + ul li i { width: 14px; height: 14px; border-radius: 3px; }
.semlink-bar + ul li b { font-variant-numeric: tabular-nums; }
.semlink-stage { background: var(--stage); min-width: 2px; }
.semlink-emulated { background: repeating-linear-gradient(45deg, var(--stage) 0 5px, #fff9 5px 8px), var(--stage); }
.semlink-code pre { white-space: pre-wrap; overflow-wrap: anywhere; }
@media (min-width: 1800px) { html { font-size: 18px; } }
@media (max-width: 500px) { .nicegui-content, .q-tab-panel { padding: 8px; } .q-card { padding: 10px; } }
"""
STYLE: Final = (
    _RESET
    + "@layer utilities {\n"
    + "\n".join(f".{_escaped(name)} {{ {rule} }}" for name, rule in RULES.items())
    + "\n}\n"
    + _PAGE
)
