"""What stops an installation, for the person who can help: what is so, and the step to take."""


class Problem(Exception):
    """The installation cannot go on; `step` says what to do. Nothing is tried again by itself."""

    def __init__(self, message: str, step: str) -> None:
        super().__init__(f"{message} {step}".strip())
        self.message = message
        self.step = step


class Refused(Problem):
    """Dataverse answered no: HTTP *status*, its own *code* and message."""

    def __init__(self, status: int, code: str, message: str, step: str) -> None:
        super().__init__(message, step)
        self.status = status
        self.code = code


class Unknown(Problem):
    """No answer came to a write: it may or may not have been done. Running the command again finds out."""
