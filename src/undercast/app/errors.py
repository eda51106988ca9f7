"""Why a platform cannot start."""


class CannotStart(Exception):
    """The platform cannot start; `fix` says what to do."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
