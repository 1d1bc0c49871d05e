"""Rules that keep data from being read as markup, held by looking at the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "console"
MODULES = sorted(ROOT.rglob("*.py"))
SAFE = {"said", "line", "lines", "prose", "block", "wrapped", "hung", "fitted", "clean", "badge"}
"""What sanitises; see console/text.py and console/sanitise.py."""

PAINTING = {"update", "update_cell", "add_row", "add_column", "notify", "append_text", "set_title"}
WIDGETS = {"Static", "Label", "Button", "Input", "Tooltip", "Markdown", "RichLog", "Log"}
TEXT_MAKERS = {"Text", "Content"}


def problems(source: str, *, may_make_text: bool = False) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = _name(node.func)
            if name in TEXT_MAKERS and not may_make_text:
                found.append(f"line {node.lineno}: {name}() outside console/text.py")
            if _name(getattr(node.func, "value", None)) in TEXT_MAKERS and not may_make_text:
                found.append(f"line {node.lineno}: {ast.unparse(node.func)} outside console/text.py")
            if name in WIDGETS | PAINTING:
                found += [f"line {node.lineno}: {ast.unparse(node)[:80]}" for one in node.args if _raw(one)]
        if isinstance(node, ast.Assign) and any(
            _name(x) in {"border_title", "border_subtitle", "tooltip"} for x in node.targets
        ):
            found += (
                [f"line {node.lineno}: {ast.unparse(node)[:80]}"]
                if _raw(node.value) and not isinstance(node.value, ast.Constant)
                else []
            )
    return found


def _raw(node: ast.expr) -> bool:
    """Whether this may be a string that was not sanitised: built in place, or read from a message."""
    if isinstance(node, ast.JoinedStr | ast.BinOp):
        return True
    if isinstance(node, ast.Call):
        return _name(node.func) in {"str", "repr", "format", "join", "shown", "typed"}
    return isinstance(node, ast.Attribute) and node.attr in {
        "title",
        "message",
        "value",
        "reason",
        "code",
        "name",
        "reply",
        "advice",
    }


def _name(node: object) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_data_reaches_widgets_only_through_the_sanitiser(path: Path) -> None:
    assert problems(path.read_text(), may_make_text=path.name == "text.py") == []


@pytest.mark.parametrize(
    "source",
    [
        "Static(f'{record.title}')", "label.update(str(value))", "table.add_row(line.title)", "app.notify('x' + name)",
        "Text(record.title)", "Text.from_markup(x)", "panel.border_title = f'{name}'", "Button(one.name)", "table.update_cell(a, b, f'{c}')",
    ],
)  # fmt: skip
def test_the_rule_notices_what_it_is_for(source: str) -> None:
    assert problems(source)


def test_static_widgets_switch_markup_off() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any(_name(base) in {"Static", "Label"} for base in node.bases):
                assert "markup=False" in ast.unparse(node), f"{path}: {node.name}"
            if isinstance(node, ast.Call) and _name(node.func) == "notify":
                assert "markup=False" in ast.unparse(node)


def test_no_screen_is_left_by_popping_it_from_a_binding() -> None:
    for path in MODULES:
        assert '"pop_screen"' not in path.read_text()
        assert "app.pop_screen" not in path.read_text()


def test_no_worker_hides_its_errors() -> None:
    for path in MODULES:
        assert "exit_on_error=False" not in path.read_text(), path
