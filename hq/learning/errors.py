"""What keeps HQ from learning.

Pure: no I/O, no clock.
"""


class LearningFailed(Exception):
    """There is no model; nothing was changed. `text` says what happened, `remedy` what to do."""

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy
