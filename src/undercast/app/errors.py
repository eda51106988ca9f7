"""Why a platform cannot start, or did not end well."""

from collections.abc import Sequence


class CannotStart(Exception):
    """The platform cannot start; `fix` says what to do."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


class EndedBadly(Exception):
    """Parts of a stop failed or did not end; all others have ended."""

    def __init__(self, parts: Sequence[str]) -> None:
        super().__init__(f"the stop of {', '.join(parts)} failed")
