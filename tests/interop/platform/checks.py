"""Sections of checks, each with its count and what failed in it; one that throws fails, and the next one still runs."""
import json
import sys
import traceback


class Section:
    def __init__(self):
        self.passed = 0
        self.failed = []

    def equal(self, what, got, want):
        self.true(what, got == want, f"got {got!r}, expected {want!r}")

    def true(self, what, holds, detail=""):
        if holds:
            self.passed += 1
        else:
            self.failed.append(f"{what}: {detail}")

    def raises(self, what, kind, call):
        """The error, for more checks; None when there was none of this kind."""
        try:
            given = call()
        except kind as error:
            self.passed += 1
            return error
        except Exception as error:  # noqa: BLE001
            self.failed.append(f"{what}: got {type(error).__name__}: {error}, expected {kind.__name__}")
        else:
            self.failed.append(f"{what}: got {given!r}, expected {kind.__name__}")
        return None


class Report:
    def __init__(self):
        with open(sys.argv[1], encoding="utf8") as file:
            self.job = json.load(file)
        self.sections = {}

    def run(self, name, body):
        section = Section()
        self.sections[name] = section
        try:
            body(section)
        except Exception:  # noqa: BLE001
            section.failed.append(traceback.format_exc(limit=-6))

    def write(self, versions):
        with open(sys.argv[2], "w", encoding="utf8") as file:
            json.dump({
                "versions": versions,
                "sections": {name: {"passed": s.passed, "failed": s.failed} for name, s in self.sections.items()},
            }, file)
